"""Tokens and places as vectors."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from regard.errors import RegardError
from regard.model.contracts import Places, first_ones
from regard.model.dropout import Dropout


class TokenEmbedding(nn.Module):
    """sqrt(width) E[token] + place   (Vaswani et al. 2017, sections 3.4 and 3.5).

    Args:
        vocabulary: how many tokens there are.
        width: of the vectors.
        position: `sinusoidal`, `learned`, or anything else for nothing added.
        longest: how many places `learned` knows.
        dropout: the probability of dropping a unit in training.
        hidden: the probability of hiding a token in training: its place remains (Bowman et al. 2016, section 3.1).
        tokens: the table (vocabulary, width) of another embedding, to be shared.
    """

    def __init__(
        self,
        vocabulary: int,
        width: int,
        *,
        position: str = "none",
        longest: int = 1024,
        dropout: float = 0.0,
        hidden: float = 0.0,
        tokens: nn.Embedding | None = None,
    ) -> None:
        super().__init__()
        self.width, self.position, self.hidden = width, position, hidden
        if tokens is None:
            tokens = nn.Embedding(vocabulary, width)
            nn.init.normal_(tokens.weight, std=width**-0.5)
        self.tokens = tokens
        self.dropout = Dropout(dropout)
        place_table(self, "places", position, longest, width)

    def forward(self, tokens: Tensor) -> Tensor:
        """Tokens (B, n) at the places 0, 1, ... as vectors (B, n, width)."""
        return self._embed(tokens, 0, tokens.shape[-1])

    def at(self, tokens: Tensor, place: int) -> Tensor:
        """Tokens (B, beams) that all stand at one place, as vectors (B, beams, width)."""
        return self._embed(tokens, place, 1)

    def read(self, source: Tensor, sizes: Tensor) -> Places:
        """The tokens of texts as the places of an encoder's source."""
        return Places(self(source), first_ones(sizes, source.shape[1]), tokens=source)

    def layout(self, size: tuple[int, ...]) -> tuple[int, ...]:
        """Each token is a place."""
        return size

    def _embed(self, tokens: Tensor, first: int, count: int) -> Tensor:
        found: Tensor = self.tokens(tokens) * self.width**0.5
        if self.training and self.hidden:
            found = found.masked_fill(torch.rand(tokens.shape, device=found.device)[..., None] < self.hidden, 0.0)
        if self.position in ("sinusoidal", "learned"):
            found = found + places(self.places, self.position, first, count)  # type: ignore[arg-type]
        return self.dropout(found)  # type: ignore[no-any-return]


def place_table(module: nn.Module, name: str, position: str, longest: int, width: int) -> None:
    """Give a module the vectors (longest, width) of places: a parameter for `learned`, a buffer for `sinusoidal`."""
    if position == "learned":
        module.register_parameter(name, nn.Parameter(torch.empty(longest, width).normal_(std=max(width, 1) ** -0.5)))
    elif position == "sinusoidal":
        module.register_buffer(name, sinusoids(0, longest, width), persistent=False)


def places(table: Tensor, position: str, first: int, count: int) -> Tensor:
    """The vectors (count, width) of the places `first`, ..., of a table whose sinusoids go on beyond its end."""
    last = first + count
    if last <= len(table):
        return table[first:last]
    if position == "learned":
        raise RegardError(
            f"model.longest: {last} places are needed, but learned positions know {len(table)}; "
            "shorten the source or text, or train with a greater one or other positions"
        )
    return sinusoids(first, count, table.shape[1]).to(table)


def sinusoids(first: int, count: int, width: int) -> Tensor:
    """sin(p / 10000^(2i/width)) in the first half of the columns, cos in the second; p = first, ... (count, width)."""
    if torch.get_default_device().type == "meta":  # an outline of a model has no numbers
        return torch.empty(count, width)
    places = torch.arange(first, first + count, dtype=torch.float64)
    half = (width + 1) // 2
    angles = places[:, None] * 10000.0 ** (-torch.arange(half, dtype=torch.float64) / half)
    return torch.cat([angles.sin(), angles.cos()], -1)[:, :width].to(torch.get_default_dtype())
