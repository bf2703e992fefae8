"""How many multiply-adds a model takes, by formula: what its share of the machine's peak is reckoned from.

A product (n, k) x (k, m) is n k m multiply-adds; nothing else counts, and no padding. Training takes three times the
forward pass, as the gradients of a product are two products of its size. So the share that a toolkit reaches is

    tokens/s x multiply-adds per token / multiply-adds/s of the best product of square matrices

the same multiply-adds for all toolkits, whatever they really compute: those of the model, not of a program.
"""

from __future__ import annotations

from collections.abc import Iterable

from regard.settings import ModelSettings


def training(settings: ModelSettings, vocabulary: int, lengths: Iterable[tuple[int, int]]) -> float:
    """Multiply-adds of training, per target token, over pairs of `lengths` (source, target), marks counted."""
    total = tokens = 0
    for source, target in lengths:
        total += 3 * forward(settings, vocabulary, source, target)
        tokens += target
    return total / tokens


def forward(settings: ModelSettings, vocabulary: int, source: int, target: int) -> int:
    """Multiply-adds of one pair: its encoder, its decoder with all attention, and the output layer."""
    encoder = _recurrent_encoder if settings.encoder.kind == "recurrent" else _transformer_encoder
    decoder = _recurrent_decoder if settings.decoder.kind == "recurrent" else _transformer_decoder
    output = target * settings.decoder.width * vocabulary
    return encoder(settings, source) + decoder(settings, source, target) + output


def _recurrent_encoder(settings: ModelSettings, source: int) -> int:
    encoder = settings.encoder
    state = encoder.width // encoder.directions
    inputs = [settings.embedding] + [encoder.width] * (encoder.layers - 1)
    return source * encoder.directions * sum(_gates(encoder.cell) * state * (given + state) for given in inputs)


def _recurrent_decoder(settings: ModelSettings, source: int, target: int) -> int:
    """Attending after the update of the state, with input feeding, in one head."""
    decoder, memory = settings.decoder, settings.encoder.width
    if (decoder.attends, decoder.input_feeding is not False, settings.cross.heads) != ("after", True, 1):
        raise ValueError("multiply-adds of recurrent decoders: only with input feeding and one head after the update")
    width = decoder.width
    inputs = [settings.embedding + width] + [width] * (decoder.layers - 1)
    cells = target * sum(_gates(decoder.cell) * width * (given + width) for given in inputs)
    first = (2 if decoder.cell == "lstm" else 1) * decoder.layers * memory * width
    combine = target * (width + memory) * width
    return cells + first + combine + _cross(settings, source, target) + target * source * memory


def _cross(settings: ModelSettings, source: int, target: int) -> int:
    """From states and memory to scores."""
    width, memory = settings.decoder.width, settings.encoder.width
    if settings.cross.score == "additive":
        return target * width * width + source * memory * width + target * source * width
    if settings.cross.score == "bilinear":
        return target * width * memory + target * source * memory
    raise ValueError(f"multiply-adds of recurrent decoders: not with the score {settings.cross.score}")


def _transformer_encoder(settings: ModelSettings, source: int) -> int:
    encoder = settings.encoder
    projections = source * (4 * encoder.width**2 + 2 * encoder.width * encoder.feedforward)
    return encoder.layers * (projections + 2 * source**2 * encoder.width)


def _transformer_decoder(settings: ModelSettings, source: int, target: int) -> int:
    decoder, memory = settings.decoder, settings.encoder.width
    width = decoder.width
    projections = target * (6 * width**2 + 2 * width * decoder.feedforward) + source * 2 * memory * width
    itself = target * (target + 1) * width  # each token attends to those before it and to itself
    return decoder.layers * (projections + itself + 2 * target * source * width)


def _gates(cell: str) -> int:
    return 4 if cell == "lstm" else 3
