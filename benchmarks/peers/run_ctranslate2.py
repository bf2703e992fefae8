"""CTranslate2 4.8: decodes the Transformer of OpenNMT-py, converted.

One thread to a sentence and as many workers as threads is its best setting on few cores.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from pathlib import Path

import torch
from ctranslate2 import Translator
from ctranslate2.converters import OpenNMTPyConverter
from driver import DECODED_AT_ONCE, FORCED, RUNS, TO_MAKE, Task, measure_decoding, task

PACKAGES = ("ctranslate2",)


def folder(asked: Task) -> Path:
    return RUNS / f"ctranslate2-{asked.name}"


def make(asked: Task) -> None:
    """Convert the checkpoint that the driver of OpenNMT-py made, which holds an argparse.Namespace."""
    torch.serialization.add_safe_globals([argparse.Namespace])
    found = RUNS / f"opennmt-{asked.name}_step_{TO_MAKE}.pt"
    if not found.exists():
        sys.exit(f"{found.name} is missing: run_opennmt.py make comes first")
    OpenNMTPyConverter(str(found)).convert(str(folder(asked)), force=True)


def decoder(asked: Task, beam: int) -> Callable[[list[str]], list[int]]:
    translator = Translator(
        str(folder(asked)),
        device="cpu",
        compute_type="float32",
        inter_threads=torch.get_num_threads(),
        intra_threads=1,
    )

    def decode(sentences: list[str]) -> list[int]:
        found = translator.translate_batch(
            [sentence.split() for sentence in sentences],
            beam_size=beam,
            max_batch_size=DECODED_AT_ONCE,
            batch_type="examples",
            min_decoding_length=FORCED,
            max_decoding_length=FORCED,
        )
        return [len(each.hypotheses[0]) for each in found]

    return decode


def main() -> None:
    asked = task()
    if asked.action == "make":
        make(asked)
    elif asked.action == "decode":
        measure_decoding(asked, PACKAGES, decoder)


if __name__ == "__main__":
    main()
