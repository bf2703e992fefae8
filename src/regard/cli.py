"""The command `regard`: finds the command that is asked for, and turns errors into one line.

Nothing heavy is imported here, so that `regard --help` is instant.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from contextlib import suppress
from importlib import import_module

from regard.errors import RegardError, did_you_mean, one_line

COMMANDS = {
    "demo": "train a small model on a corpus made on the spot, and see what it attends to",
    "train": "train a model on a file of pairs",
    "predict": "what a model makes of texts, and what it looked at",
    "explain": "one target word at a time: scores, softmax, and the context C_i made of the values",
    "evaluate": "how good a model is on pairs; or whether another is better",
    "likelihood": "how probable a model finds given pairs: it finds entries that are wrong",
    "align": "word alignments of given pairs",
    "train-aligner": "word alignments of pairs without a model: both directions are trained for it",
    "observe": "what a Hugging Face model attends to",
    "show": "attention maps of a file, in the terminal or as a picture",
    "info": "what a model's folder holds",
}
_CTRL_C = 130


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command; returns the exit code: 0, 2 for what a person did wrong, 128 + signal when interrupted."""
    given = list(sys.argv[1:] if arguments is None else arguments)
    try:
        code = _run(given)
        if sys.stdout is not None:
            sys.stdout.flush()  # what can't be written is told here, not by the interpreter when it ends
        return code
    except RegardError as error:
        return _told(one_line(error))
    except BrokenPipeError:
        # Whoever read the output has seen enough; nothing more may be written, not even at exit.
        _write_no_more()
        return 0
    except KeyboardInterrupt as stopped:
        print(f"regard: {stopped}" if str(stopped) else "regard: interrupted", file=sys.stderr)
        return 128 + getattr(stopped, "signal", _CTRL_C - 128)
    except UnicodeEncodeError as error:
        _write_no_more()
        letters = error.object[error.start : error.end][:1]
        return _told(f"the output can't be written in {error.encoding}, which has no {letters!a}; set PYTHONUTF8=1")
    except OSError as error:
        _write_no_more()
        return _told(f"{error.filename}: {error.strerror}" if error.filename else f"{error.strerror or error}")
    except (RuntimeError, MemoryError) as error:
        from regard.memory import ran_out

        if not ran_out(error):
            raise
        return _told("the memory does not suffice; give less at once, or a smaller model")


def _told(what: str) -> int:
    print(f"regard: {what}", file=sys.stderr)
    return 2


def _write_no_more() -> None:
    """Let what is still to be written to standard output go nowhere."""
    with suppress(OSError, ValueError, AttributeError):  # it may be closed, or no file at all
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


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
    result: int = import_module(f"regard.commands.{name.replace('-', '_')}").run(rest)
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
