"""The parser of every command: flags that bear the names of settings, and complaints of one line."""

from __future__ import annotations

import argparse
import re
from typing import Any, NoReturn

from regard.configuration import checked, known_settings, nearest_name
from regard.errors import RegardError
from regard.settings import Settings


class Parser(argparse.ArgumentParser):
    """Raises RegardError, with the nearest option, instead of printing its usage and leaving."""

    def error(self, message: str) -> NoReturn:
        unknown = re.match(r"unrecognized arguments: (--?[^\s=]+)", message)
        if not unknown:
            raise RegardError(f"{message}; `{self.prog} --help` explains")
        options = [option for action in self._actions for option in action.option_strings if option.startswith("--")]
        guess = nearest_name(unknown[1].lstrip("-"), [option.lstrip("-") for option in options])
        meant = " or ".join(f"--{name}" for name in guess.split(" or ")) if guess else ""
        hint = f"did you mean {meant}?" if meant else f"`{self.prog} --help` lists them"
        raise RegardError(f"there is no option {unknown[1]}; {hint}")


class _Help(argparse.HelpFormatter):
    """Breaks lines between words only: what can be typed stays whole."""

    def _split_lines(self, text: str, width: int) -> list[str]:
        import textwrap

        return textwrap.wrap(" ".join(text.split()), width, break_long_words=False, break_on_hyphens=False)


def parser(command: str, meaning: str) -> Parser:
    """An empty parser of `regard COMMAND`."""
    return Parser(
        prog=f"regard {command}",
        description=meaning,
        usage=f"regard {command} [OPTIONS] ...",
        argument_default=argparse.SUPPRESS,
        allow_abbrev=False,
        formatter_class=lambda prog: _Help(prog, max_help_position=36),
    )


def add_settings(to: argparse.ArgumentParser, kind: type = Settings) -> None:
    """A flag for every setting of `kind`, explained, with its default."""
    groups: dict[str, Any] = {}
    for name, setting in known_settings(kind).items():
        title = name.rpartition(".")[0] or "search"
        if title not in groups:
            groups[title] = to.add_argument_group(f"settings: {title}")
        meaning = f"{setting.meaning} (default: {_shown(setting.default)})"
        groups[title].add_argument(f"--{name}", metavar="VALUE", help=meaning.replace("%", "%%"))


def add_target(to: argparse.ArgumentParser) -> None:
    """The option of a target side in a file of its own."""
    to.add_argument("--target", metavar="FILE", help="the target file, line by line beside the source file")


def given_on(arguments: argparse.Namespace, kind: type = Settings) -> dict[str, Any]:
    """The settings that were given as flags, checked."""
    return checked({name: value for name, value in vars(arguments).items() if name in known_settings(kind)},
                   "command line", kind)  # fmt: skip


def _shown(default: Any) -> str:
    if default is None:
        return "none"
    return str(default).lower() if isinstance(default, bool) else str(default)
