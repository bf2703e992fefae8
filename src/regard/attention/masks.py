"""Masks: which keys a query may attend to (True = may be attended to). They combine: every one must allow a key.

`lengths`, `causal` and `window` know their shape from a few numbers and never hold Q x K. `gaussian` weighs keys
smoothly instead of forbidding them.
"""

from __future__ import annotations

from typing import Protocol

import torch
from torch import Tensor

from regard.attention.tiles import Spread, Tile, broadcasts, spread
from regard.attention.trees import static, tree


class BoundMask(Protocol):
    """A mask in the terms of one problem: its tensors spread over slices."""

    @property
    def parts(self) -> tuple[Spread, ...]: ...

    def tile(self, parts: tuple[Tensor, ...], tile: Tile, offset: int, device: torch.device) -> Tensor:
        """Allowed (True) or not, broadcasting over (n, R, K)."""
        ...

    def reach(self, tile: Tile, offset: int) -> tuple[int, int]:
        """A range of keys outside of which no row of the tile may attend to anything, told without looking at data."""
        ...

    def doubtful(self, tile: Tile, offset: int) -> tuple[int, int]:
        """The keys of the tile that have to be looked at: every row may attend to all others, as far as this goes."""
        ...


class Mask(Protocol):
    """What `attend(mask=...)` takes besides tensors."""

    def bind(self, lead: torch.Size, device: torch.device) -> BoundMask: ...


@tree
class lengths:
    """Keys 0 ... length - 1 may be attended to; `length` int64, broadcasting over the leading dimensions.

    With leading dimensions (B, H), lengths of shape (B) must come as (B, 1).
    """

    length: Tensor

    def bind(self, lead: torch.Size, device: torch.device) -> BoundMask:
        if self.length.dtype == torch.bool or self.length.is_floating_point():
            raise ValueError(f"mask: lengths came as {self.length.dtype}; expected whole numbers")
        return Lengths(spread(self.length, lead, "", "mask"))


@tree
class causal:
    """Query i may attend to keys up to its own position, j <= offset + i."""

    def bind(self, lead: torch.Size, device: torch.device) -> BoundMask:
        return Causal()


@tree
class window:
    """Keys within `width` of a centre, |j - centre_i| <= width   (local-m of Luong et al. 2015, section 3.2).

    `centre` (..., Q) may be real; without it the centre is the query's own position.
    """

    width: int = static()
    centre: Tensor | None = None

    def bind(self, lead: torch.Size, device: torch.device) -> BoundMask:
        if self.width < 0:
            raise ValueError(f"mask: window needs a width of 0 or more, came {self.width}")
        if self.centre is None:
            return Band(self.width)
        return Window(spread(self.centre.detach(), lead, "q", "mask"), self.width)


@tree
class gaussian:
    """Weights times exp(-(j - centre_i)^2 / (2 sigma^2))   (local-p of Luong et al. 2015, equation 10).

    Applied to the weights after the normalizer, which are not normalised again, as in the paper. Gradients reach the
    centre (..., Q) and a sigma that is a tensor broadcasting over it.
    """

    centre: Tensor
    sigma: Tensor | float

    def bind(self, lead: torch.Size, device: torch.device) -> Gaussian:
        sigma = self.sigma if isinstance(self.sigma, Tensor) else self.centre.new_tensor(self.sigma)
        if not broadcasts(sigma.shape, self.centre.shape):
            raise ValueError(
                f"mask: gaussian came with sigma of shape {tuple(sigma.shape)}; "
                f"expected one that broadcasts over the centre's {tuple(self.centre.shape)}"
            )
        centre, sigma = self.centre, sigma.expand(self.centre.shape)
        return Gaussian(spread(centre, lead, "q", "mask"), spread(sigma, lead, "q", "mask"))


@tree
class Gaussian:
    """`gaussian` in the terms of one problem: a factor of the weights."""

    centre: Spread
    sigma: Spread

    @property
    def parts(self) -> tuple[Spread, Spread]:
        return self.centre, self.sigma

    def tile(self, parts: tuple[Tensor, ...], tile: Tile, dtype: torch.dtype) -> Tensor:
        centre, sigma = (part.to(dtype)[..., None] for part in parts)
        return torch.exp(-0.5 * ((tile.keys(centre.device) - centre) / sigma).square())

    def gradients(self, parts: tuple[Tensor, ...], tile: Tile, grad: Tensor) -> tuple[Tensor, Tensor]:
        """Of centre and sigma (n, R), from the gradient of the logarithm of the factor (n, R, K)."""
        centre, sigma = (part.to(grad.dtype)[..., None] for part in parts)
        away = (tile.keys(centre.device) - centre) / sigma
        slope = grad * away / sigma
        return slope.sum(-1), (slope * away).sum(-1)


@tree
class Lengths:
    length: Spread

    @property
    def parts(self) -> tuple[Spread, ...]:
        return (self.length,)

    def tile(self, parts: tuple[Tensor, ...], tile: Tile, offset: int, device: torch.device) -> Tensor:
        return tile.keys(device) < parts[0][:, None, None]

    def reach(self, tile: Tile, offset: int) -> tuple[int, int]:
        return tile.k

    def doubtful(self, tile: Tile, offset: int) -> tuple[int, int]:
        return tile.k


@tree
class Causal:
    @property
    def parts(self) -> tuple[Spread, ...]:
        return ()

    def tile(self, parts: tuple[Tensor, ...], tile: Tile, offset: int, device: torch.device) -> Tensor:
        return tile.keys(device) <= tile.queries(device, offset)

    def reach(self, tile: Tile, offset: int) -> tuple[int, int]:
        return 0, tile.q[1] + offset

    def doubtful(self, tile: Tile, offset: int) -> tuple[int, int]:
        return min(max(tile.k[0], tile.q[0] + offset + 1), tile.k[1]), tile.k[1]


@tree
class Band:
    width: int = static()

    @property
    def parts(self) -> tuple[Spread, ...]:
        return ()

    def tile(self, parts: tuple[Tensor, ...], tile: Tile, offset: int, device: torch.device) -> Tensor:
        return (tile.keys(device) - tile.queries(device, offset)).abs() <= self.width

    def reach(self, tile: Tile, offset: int) -> tuple[int, int]:
        return tile.q[0] + offset - self.width, tile.q[1] + offset + self.width

    def doubtful(self, tile: Tile, offset: int) -> tuple[int, int]:
        return tile.k


@tree
class Window:
    centre: Spread
    width: int = static()

    @property
    def parts(self) -> tuple[Spread, ...]:
        return (self.centre,)

    def tile(self, parts: tuple[Tensor, ...], tile: Tile, offset: int, device: torch.device) -> Tensor:
        return (tile.keys(device) - parts[0][..., None]).abs() <= self.width

    def reach(self, tile: Tile, offset: int) -> tuple[int, int]:
        return tile.k

    def doubtful(self, tile: Tile, offset: int) -> tuple[int, int]:
        return tile.k


@tree
class Boolean:
    """Any boolean tensor that broadcasts over (..., Q, K)."""

    allowed: Spread

    @property
    def parts(self) -> tuple[Spread, ...]:
        return (self.allowed,)

    def tile(self, parts: tuple[Tensor, ...], tile: Tile, offset: int, device: torch.device) -> Tensor:
        return parts[0]

    def reach(self, tile: Tile, offset: int) -> tuple[int, int]:
        return tile.k

    def doubtful(self, tile: Tile, offset: int) -> tuple[int, int]:
        return tile.k
