"""What one step of an LSTM decoder with attention costs beyond the bare cell, in microseconds.

    python benchmarks/decoder_step.py

Width 512, memory of 15 positions and width 512, beam 5, inference, one thread. First the decoder alone, then the whole
step of a model, its readout included, for 40 tokens and for 8,000. Prints the least time of many rounds, in which other
work on the machine shows least.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from functools import partial

import torch
from torch import Tensor

from regard.model import Encoded, EncoderDecoder
from regard.settings import AttentionSettings, DecoderSettings, EncoderSettings, ModelSettings

WIDTH, SOURCE, BEAMS, VOCABULARY = 512, 15, 5, 8000
SCORES = ("additive", "bilinear", "dot", "location_aware", "coverage")
READOUTS = ("softmax", "pointer", "marginal", "monotonic:0", "monotonic:1")
ROUNDS = {1: 300, 64: 20}  # calls for each size of a batch


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


def model(score: str, readout: str = "softmax", vocabulary: int = VOCABULARY) -> EncoderDecoder:
    """Model A with another score (`fixed`: none at all), readout or context."""
    context = "fixed" if score == "fixed" else "attention" if readout in ("softmax", "pointer") else readout
    settings = ModelSettings(
        encoder=EncoderSettings(width=WIDTH),
        decoder=DecoderSettings(width=WIDTH),
        cross=AttentionSettings(score="additive" if score == "fixed" else score),
        context=context,
        copy=readout == "pointer",
    )
    return EncoderDecoder(settings, vocabulary, vocabulary).eval()


def bare_cell(batch: int, rounds: int) -> float:
    """An LSTM's update of all hypotheses, and nothing else."""
    given = torch.randn(batch * BEAMS, 256 + WIDTH)
    states = torch.randn(batch * BEAMS, WIDTH), torch.randn(batch * BEAMS, WIDTH)
    cell = torch.nn.LSTMCell(256 + WIDTH, WIDTH)
    return microseconds(lambda: cell(given, states), rounds)


def decoder_step(score: str, batch: int, rounds: int) -> float:
    """A step of the decoder alone."""
    made = model(score)
    encoded, tokens = encode(made, batch, VOCABULARY)
    memory = made.decoder.prepare(encoded)
    state = made.decoder.step(tokens, memory, made.decoder.start(encoded, BEAMS)).state
    return microseconds(lambda: made.decoder.step(tokens, memory, state), rounds)


def whole_step(readout: str, vocabulary: int, batch: int, rounds: int) -> float:
    """A step of the model, as a search asks for it."""
    made = model("additive", readout, vocabulary)
    encoded, tokens = encode(made, batch, vocabulary)
    memory = made.prepare(encoded)
    state = made.step(tokens, memory, made.start(encoded, BEAMS)).state
    return microseconds(lambda: made.step(tokens, memory, state, ("cross",)), rounds)


def encode(made: EncoderDecoder, batch: int, vocabulary: int) -> tuple[Encoded, Tensor]:
    """Sources of one length, and a token for each hypothesis."""
    source = torch.randint(4, vocabulary, (batch, SOURCE))
    if made.settings.copy:
        source = source[..., None].expand(-1, -1, 2)
    return made.encode(source, torch.full((batch,), SOURCE)), torch.randint(4, vocabulary, (batch, BEAMS))


def main() -> None:
    torch.set_num_threads(1)
    torch.manual_seed(0)
    print(f"python {sys.version.split()[0]}, torch {torch.__version__}, 1 thread, beam {BEAMS}, source {SOURCE}")
    print(f"{'':<20}" + "".join(f"{f'batch {batch}':>12}{'over cell':>12}" for batch in (1, 64)))
    ways: dict[str, Callable[[int, int], float]] = {"bare cell": bare_cell}
    ways |= {score: partial(decoder_step, score) for score in ("fixed", *SCORES)}
    ways |= {f"{name}, {size:,}": partial(whole_step, name, size) for size in (40, VOCABULARY) for name in READOUTS}
    with torch.inference_mode():
        cells = {batch: bare_cell(batch, rounds) for batch, rounds in ROUNDS.items()}
        for name, way in ways.items():
            found = {batch: way(batch, rounds) for batch, rounds in ROUNDS.items()}
            print(
                f"{name:<20}" + "".join(f"{found[batch]:>12.0f}{found[batch] - cells[batch]:>12.0f}" for batch in found)
            )


if __name__ == "__main__":
    main()
