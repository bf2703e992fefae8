"""The command `regard`: finds the command that is asked for, and turns errors into one line.

Nothing heavy is imported here, so that `regard --help` is instant.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from importlib import import_module

from regard.errors import RegardError, did_you_mean

COMMANDS = {
    "demo": "train a small English-Chinese model in about a minute, and see what it attends to",
    "train": "train a model on a file of pairs",
    "predict": "what a model makes of texts, and what it looked at",
    "explain": "one target word at a time: scores, softmax, and the context C_i made of the values",
    "evaluate": "how good a model is on pairs; or whether another is better",
    "align": "word alignments of given pairs",
    "show": "attention maps of a file, in the terminal or as a picture",
    "info": "what a model's folder holds",
}
_CTRL_C = 130


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command; returns the exit code: 0, 2 for what a person did wrong, 128 + signal when interrupted."""
    given = list(sys.argv[1:] if arguments is None else arguments)
    try:
        return _run(given)
    except RegardError as error:
        print(f"regard: {error}", file=sys.stderr)
        return 2
    except BrokenPipeError:
        # Whoever read the output has seen enough; nothing more may be written, not even at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except KeyboardInterrupt as stopped:
        print(f"regard: {stopped}" if str(stopped) else "regard: interrupted", file=sys.stderr)
        return 128 + getattr(stopped, "signal", _CTRL_C - 128)
    except OSError as error:
        what = f"{error.filename}: {error.strerror}" if error.filename else error.strerror or error
        print(f"regard: {what}", file=sys.stderr)
        return 2


def _run(given: list[str]) -> int:
    if not given or given[0] in ("-h", "--help", "help"):
        print(_help())
        return 0
    name, *rest = given
    if name in ("--version", "version"):
        import regard

        print(f"regard {regard.__version__}")
        return 0
    if name not in COMMANDS:
        what = "option" if name.startswith("-") else "command"
        raise RegardError(f"there is no {what} {name!r}{did_you_mean(name, COMMANDS)}")
    result: int = import_module(f"regard.commands.{name}").run(rest)
    return result


def _help() -> str:
    width = max(map(len, COMMANDS))
    return "\n".join(
        [
            "usage: regard COMMAND ...",
            "",
            "Encoder-decoder models with attention: train them on your own pairs, run them, see what they attend to.",
            "",
            "commands:",
            *(f"  {name:<{width}}  {meaning}" for name, meaning in COMMANDS.items()),
            "",
            "`regard COMMAND --help` explains a command and its settings; `regard --version` prints the version.",
        ]
    )
