"""What the arguments of the module `Attention` must be, beside each other."""

from __future__ import annotations

from regard.attention.names import LEARNED_SCORES, SCORES, STATEFUL_SCORES, base, nearest
from regard.attention.scores import Score

PROJECT = ("all", "scores", "none")
POSITIONS = ("rotary", "alibi", "relative")


def check_arguments(
    widths: dict[str, int],
    heads: int,
    kv_heads: int,
    score: str | Score,
    position: str | None,
    project: str,
    window: int | None,
) -> None:
    if window is not None and window < 1:
        raise ValueError(f"window: came {window}; expected 1 or more")
    if window is not None and position is not None:
        raise ValueError(f"position: {position} is for queries with a place of their own, not for a window")
    if project not in PROJECT:
        raise ValueError(f"project: unknown {project!r}{nearest(project, PROJECT)}")
    if position is not None and position not in POSITIONS:
        raise ValueError(f"position: unknown name {position!r}{nearest(position, POSITIONS)}")
    if isinstance(score, str) and base(score) not in (known := (*SCORES, *LEARNED_SCORES, *STATEFUL_SCORES)):
        raise ValueError(f"score: unknown name {score!r}{nearest(base(score), known)}")
    if isinstance(score, str) and ":" in score and base(score) not in SCORES:
        raise ValueError(f"score: {base(score)} takes no number, came {score!r}")
    for name, width in widths.items():
        if width < 1 or (width % heads and name in ("dim", "value_dim")):
            raise ValueError(f"{name}: came {width}; expected a multiple of heads, {heads}")
    if heads % kv_heads:
        raise ValueError(f"kv_heads: came {kv_heads}; expected a divisor of heads, {heads}")
    if project == "none" and heads > 1:
        raise ValueError(f"heads: came {heads}; expected 1 where nothing is projected (project='none')")
    if project == "scores" and kv_heads != heads:
        raise ValueError(f"kv_heads: came {kv_heads}; expected heads, {heads}, where values are not projected")
    if position == "rotary" and (widths["dim"] // heads) % 2:
        raise ValueError(f"position: rotary needs an even width of heads, came {widths['dim'] // heads}")
