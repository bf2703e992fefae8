"""What one step of an LSTM decoder with attention costs beyond the bare cell, in microseconds.

    python benchmarks/spike_decoder_step.py

Width 512, memory of 15 positions and width 512, beam 5, inference, one thread. Prints the least time of many rounds, in
which other work on the machine shows least.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable

import torch

from regard.model import EncoderDecoder, RecurrentDecoder
from regard.settings import AttentionSettings, DecoderSettings, EncoderSettings, ModelSettings

WIDTH, SOURCE, BEAMS, VOCABULARY = 512, 15, 5, 8000
SCORES = ("additive", "bilinear", "dot", "location_aware", "coverage")


def microseconds(run: Callable[[], object], rounds: int) -> float:
    """The least time of a call, after a warm-up."""
    for _ in range(max(3, rounds // 10)):
        run()
    times = []
    for _ in range(rounds):
        start = time.perf_counter()
        run()
        times.append(time.perf_counter() - start)
    return 1e6 * min(times)


def decoder(score: str, context: str = "attention", *, feeding: bool = True) -> EncoderDecoder:
    """Model A with another score."""
    settings = ModelSettings(
        encoder=EncoderSettings(width=WIDTH),
        decoder=DecoderSettings(width=WIDTH, input_feeding=feeding),
        cross=AttentionSettings(score=score),
        context=context,  # type: ignore[arg-type]
    )
    return EncoderDecoder(settings, VOCABULARY, VOCABULARY).eval()


def main() -> None:
    torch.set_num_threads(1)
    torch.manual_seed(0)
    print(f"python {sys.version.split()[0]}, torch {torch.__version__}, 1 thread, beam {BEAMS}, source {SOURCE}")
    print(f"{'':<16}" + "".join(f"{f'batch {batch}':>12}{'over cell':>12}" for batch in (1, 64)))
    rows: dict[str, list[float]] = {}
    with torch.inference_mode():
        for batch in (1, 64):
            rounds = 300 if batch == 1 else 20
            tokens = torch.randint(4, VOCABULARY, (batch, BEAMS))
            given = torch.randn(batch * BEAMS, 256 + WIDTH)
            states = torch.randn(batch * BEAMS, WIDTH), torch.randn(batch * BEAMS, WIDTH)
            cell = torch.nn.LSTMCell(256 + WIDTH, WIDTH)
            bare = microseconds(lambda cell=cell, given=given, states=states: cell(given, states), rounds)
            rows.setdefault("bare cell", []).extend((bare, 0.0))
            for name in ("fixed", *SCORES):
                made = decoder("additive" if name == "fixed" else name, "fixed" if name == "fixed" else "attention")
                part = made.decoder
                assert isinstance(part, RecurrentDecoder)
                source = torch.randint(4, VOCABULARY, (batch, SOURCE))
                encoded = made.encode(source, torch.full((batch,), SOURCE))
                memory, state = part.prepare(encoded), part.start(encoded, BEAMS)
                state = part.step(tokens, memory, state).state
                found = microseconds(
                    lambda part=part, memory=memory, state=state, tokens=tokens: part.step(tokens, memory, state),
                    rounds,
                )
                rows.setdefault(name, []).extend((found, found - bare))
    for name, numbers in rows.items():
        print(f"{name:<16}" + "".join(f"{number:>12.0f}" for number in numbers))


if __name__ == "__main__":
    main()
