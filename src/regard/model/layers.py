"""What the layers of Transformers are put together from."""

from __future__ import annotations

from torch import Tensor, nn

from regard.attention.products import Linear
from regard.model.dropout import Dropout


class Residual(nn.Module):
    """The way around a part f of a layer.

    pre:  x + f(norm(x))   (Xiong et al. 2020, figure 1b)
    post: norm(x + f(x))   (Vaswani et al. 2017, section 3.1)
    none: x + f(x), for parts that are not given x
    """

    def __init__(self, width: int, norm: str, dropout: float) -> None:
        super().__init__()
        self.norm = nn.Identity() if norm == "none" else nn.LayerNorm(width)
        self.last = norm == "post"
        self.dropout = Dropout(dropout)

    def enter(self, x: Tensor) -> Tensor:
        """What the part is given."""
        return x if self.last else self.norm(x)  # type: ignore[no-any-return]

    def leave(self, x: Tensor, found: Tensor) -> Tensor:
        """What comes out, of the input and what the part made of it."""
        total = x + (self.dropout(found) if self.training else found)
        return self.norm(total) if self.last else total  # type: ignore[no-any-return]


class FeedForward(nn.Module):
    """x + W2 relu(W1 x + b1) + b2, with the norm of the layer   (Vaswani et al. 2017, section 3.3)."""

    def __init__(self, width: int, inner: int, norm: str, dropout: float) -> None:
        super().__init__()
        self.around = Residual(width, norm, dropout)
        self.inner, self.outer = Linear(width, inner), Linear(inner, width)

    def forward(self, x: Tensor) -> Tensor:
        # What is dropped is dropped of the sum (section 5.4): inside of it too, small models learn more slowly.
        return self.around.leave(x, self.outer(self.inner(self.around.enter(x)).relu()))


def last_norm(width: int, norm: str) -> nn.Module:
    """What a stack of layers ends with: pre-norm layers leave their sum without a norm."""
    return nn.LayerNorm(width) if norm == "pre" else nn.Identity()
