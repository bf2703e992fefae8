"""The module that owns parameters: projections, heads, and those of scores, normalizers and positions."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn

from regard.attention import kinds, normalizers, positions, scores
from regard.attention.arguments import check_arguments
from regard.attention.kernels.dense import normalize
from regard.attention.masks import Mask
from regard.attention.names import NORMALIZERS, SCORES, STATEFUL_SCORES, base, named
from regard.attention.observe import Observe
from regard.attention.operator import attend
from regard.attention.problem import Filter
from regard.attention.products import Linear, linear
from regard.attention.scores import Score
from regard.attention.stateful import Coverage, LocationAware, additive_scores
from regard.attention.steps import NOT_LONGER, Joined, Memory, longer, step_scores
from regard.attention.weights import Weights
from regard.attention.windows import Windowed, step_within


class Attention(nn.Module):
    """Attention with parameters: context = sum_j w_j V h_j, w = normalizer(F(W s, U h_j)), in several heads.

    Args:
        query_dim: the width of queries.
        source_dim: the width of the source that keys and values are made from (default: query_dim).
        values_from: how many units of the source, its last, values are made from (default: all).
        dim: the width of all heads' keys together (default: query_dim).
        value_dim: that of all heads' values together (default: dim).
        heads: how many attend side by side.
        kv_heads: how many heads of keys and values; each serves heads / kv_heads heads (Ainslie et al. 2023).
        score: a name as in `attend`, or `bilinear`, `additive`, `location`, whose weights the module owns; or
            `location_aware`, `coverage`, which remember previous weights and go by steps only; or a score object.
        normalizer: a name as in `attend`, or `softmax:learned` (temperature), `softmax:sink`, `entmax:learned`
            (alpha between 1 and 2), one parameter for each head; or a normalizer object.
        position: `rotary`, `alibi`, `relative` (a learned table as in T5), or None.
        project: `all`: queries, keys, values and the output (Vaswani et al. 2017); `scores`: queries and keys, the
            values are the source itself (Bahdanau et al. 2015); `none`: nothing, for scores that bring their own
            weights (Luong et al. 2015).
        bias: whether projections have one.
        kind: `soft`, the sum of all places, or what `regard.attention.kinds` has: `local_m:N`, `local_p:N`, `gumbel`,
            `reinforce`, `online`, which go by steps.
        dropout: the probability of leaving out a weight, in training.
        longest: the longest source, for `location`.
        window: by steps only, which look at so many places at most on either side of where the step before looked;
            see `regard.attention.windows`.
        buckets, furthest, both_directions: of `relative`.

    Shapes: query (..., Q, query_dim), source (..., K, source_dim), context (..., Q, output), where output is query_dim
    for project=`all` and the values' width otherwise; weights (..., H, Q, K).
    """

    def __init__(
        self,
        query_dim: int,
        source_dim: int | None = None,
        *,
        values_from: int | None = None,
        dim: int | None = None,
        value_dim: int | None = None,
        heads: int = 1,
        kv_heads: int | None = None,
        score: str | Score = "scaled_dot",
        normalizer: str | normalizers.Normalizer = "softmax",
        position: str | None = None,
        project: str = "all",
        bias: bool = True,
        kind: str = "soft",
        dropout: float = 0.0,
        longest: int = 512,
        window: int | None = None,
        buckets: int = 32,
        furthest: int = 128,
        both_directions: bool = True,
    ) -> None:
        super().__init__()
        source_dim = source_dim or query_dim
        dim = dim or query_dim
        self.values_from = source_dim if values_from is None else values_from
        value_dim = value_dim or (dim if project == "all" else self.values_from)
        kv_heads = kv_heads or heads
        widths = {"query_dim": query_dim, "source_dim": source_dim, "dim": dim, "value_dim": value_dim}
        check_arguments(widths, heads, kv_heads, score, position, project, window)
        self.heads, self.kv_heads, self.dropout = heads, kv_heads, dropout
        self.dim, self.value_dim, self.project = dim, value_dim, project
        self.score_name = score if isinstance(score, str) else type(score).__name__
        self.compares_keys = self.score_name != "location"  # which looks at the query and the place alone
        q_dim, k_dim = (dim // heads,) * 2 if project != "none" else (query_dim, source_dim)
        shared = kv_heads / heads
        if project != "none":
            self.query_projection = Linear(query_dim, dim, bias)
        if project != "none" and self.compares_keys:
            self.key_projection = Linear(source_dim, int(dim * shared), bias)
        if project == "all":
            self.value_projection = Linear(self.values_from, int(value_dim * shared), bias)
            self.output_projection = Linear(value_dim, query_dim, bias)
        self._score = named("score", score, SCORES) if isinstance(score, str) and base(score) in SCORES else score
        self._own_score(q_dim, k_dim, source_dim, longest)
        self.normalizer_name = normalizer if isinstance(normalizer, str) else type(normalizer).__name__
        self._normalizer = normalizer
        self._own_normalizer()
        self.kind = kinds.made(kind, query_dim, heads)
        if self.kind is not None and self.remember is not None:
            raise ValueError(f"kind: {kind} has a memory of its own, and so has the score {self.score_name}")
        if self.kind is not None and window is not None:
            raise ValueError(f"window: {kind} looks where it looks by itself; leave out the window")
        self.position, self.window, self.whole_rows = position, window, False
        self.furthest, self.both_directions = furthest, both_directions
        if position == "relative":
            self.relative_table = nn.Parameter(torch.zeros(heads, buckets))
        elif position == "alibi":
            self.register_buffer("slopes", positions.alibi_slopes(heads), persistent=False)

    def _own_score(self, q_dim: int, k_dim: int, source_dim: int, longest: int) -> None:
        name, heads = self.score_name, self.heads
        if name == "bilinear":
            self.score_weight = _drawn(heads, q_dim, k_dim, std=(q_dim * k_dim) ** -0.25)
        elif name in ("additive", *STATEFUL_SCORES):
            self.score_weight = _drawn(heads, k_dim, std=k_dim**-0.5)
        elif name == "location":
            self.score_weight = _drawn(heads, longest, q_dim, std=q_dim**-0.5)
        elif name == "cosine":
            self.log_temperature = nn.Parameter(torch.full((heads, 1, 1), -1.0))
        if name == "location_aware":
            self.remember: LocationAware | Coverage | None = LocationAware(k_dim)
        elif name == "coverage":
            self.remember = Coverage(k_dim, source_dim)
        else:
            self.remember = None

    def _own_normalizer(self) -> None:
        if self.normalizer_name == "softmax:learned":
            self.log_temperature_of_softmax = nn.Parameter(torch.zeros(self.heads))
        elif self.normalizer_name == "softmax:sink":
            self.sink = nn.Parameter(torch.zeros(self.heads))
        elif self.normalizer_name == "entmax:learned":
            self.alpha_logit = nn.Parameter(torch.zeros(self.heads))
        elif isinstance(self._normalizer, str):
            self._normalizer = named("normalizer", self._normalizer, NORMALIZERS)

    @classmethod
    def from_torch(cls, module: nn.MultiheadAttention) -> Attention:
        """The same attention as a `torch.nn.MultiheadAttention`, with its weights; batches come first, (B, n, dim)."""
        if module.bias_k is not None or module.add_zero_attn:
            raise ValueError("from_torch: add_bias_kv and add_zero_attn have no counterpart here")
        if module.kdim != module.vdim:
            raise ValueError(
                f"from_torch: keys of width {module.kdim} and values of width {module.vdim} come from two sources; "
                "here both are made from one"
            )
        width = module.embed_dim
        made = cls(width, module.kdim, heads=module.num_heads, bias=module.in_proj_bias is not None)
        made.dropout = module.dropout
        if module.in_proj_weight is not None:
            parts = module.in_proj_weight.chunk(3)
        else:
            parts = (module.q_proj_weight, module.k_proj_weight, module.v_proj_weight)
        with torch.no_grad():
            inner = (made.query_projection, made.key_projection, made.value_projection)
            for linear, weight in zip(inner, parts, strict=True):
                linear.weight.copy_(weight)
            made.output_projection.weight.copy_(module.out_proj.weight)
            if module.in_proj_bias is not None:
                for linear, bias in zip(inner, module.in_proj_bias.chunk(3), strict=True):
                    linear.bias.copy_(bias)
                made.output_projection.bias.copy_(module.out_proj.bias)
        made.to(module.out_proj.weight)
        return made.train(module.training)

    @property
    def score(self) -> Score:
        """The score with the weights it has now."""
        if self.score_name == "bilinear":
            return scores.bilinear(self.score_weight)
        if self.score_name in ("additive", *STATEFUL_SCORES):
            return scores.additive(self.score_weight)
        if self.score_name == "location":
            return scores.location(self.score_weight)
        if self.score_name == "cosine":
            return scores.cosine(self.log_temperature.exp())
        return self._score  # type: ignore[return-value]

    @property
    def normalizer(self) -> normalizers.Normalizer:
        """The normalizer with the parameters it has now."""
        if self.normalizer_name == "softmax:learned":
            return normalizers.softmax(self.log_temperature_of_softmax.exp())
        if self.normalizer_name == "softmax:sink":
            return normalizers.softmax(sink=self.sink)
        if self.normalizer_name == "entmax:learned":
            return normalizers.entmax(1.0 + torch.sigmoid(self.alpha_logit))
        return self._normalizer  # type: ignore[return-value]

    @contextmanager
    def normalizing(self, other: normalizers.Normalizer) -> Iterator[None]:
        """Inside, another normalizer stands in the place of the module's own: one that looks on, or intervenes.

        It is given whole rows of scores, -inf outside of a window.
        """
        own = self.normalizer_name, self._normalizer
        self.normalizer_name, self._normalizer, self.whole_rows = type(other).__name__, other, True
        try:
            yield
        finally:
            (self.normalizer_name, self._normalizer), self.whole_rows = own, False

    def forward(
        self,
        query: Tensor,
        source: Tensor | None = None,
        *,
        mask: Tensor | Mask | Sequence[Tensor | Mask] | None = None,
        filter: Filter | Sequence[Filter] | None = None,
        offset: int = 0,
        observe: Observe | None = None,
        kernel: str = "auto",
    ) -> tuple[Tensor, Weights]:
        """A whole sequence of queries at once; without a source the queries attend to each other.

        The other arguments are those of `attend`; masks broadcast over (..., H, Q, K). Raises ValueError for scores
        that remember, and with a window: they go step by step.
        """
        if self.by_steps:
            what = f"score: {self.score_name} remembers" if self.window is None else "window: goes along with"
            raise ValueError(f"{what} previous weights; use prepare() and step()")
        if self.kind is not None:
            raise ValueError("kind: only soft attention takes a whole sequence; use prepare() and step()")
        q, source = self._queries(query), query if source is None else source
        key, value = self._heads(source, "key"), self._heads(source, "value")
        if torch.is_autocast_enabled(q.device.type):  # what is not projected would keep another dtype than what is
            q, key, value = (side.to(torch.get_autocast_dtype(q.device.type)) for side in (q, key, value))
        context, weights = attend(
            q,
            key,
            value,
            score=self.score,
            normalizer=self.normalizer,
            mask=mask,
            filter=filter,
            position=self._position(),
            offset=offset,
            dropout=self.dropout if self.training else 0.0,
            observe=observe,
            kernel=kernel,
        )
        return self._output(context), weights

    @property
    def by_steps(self) -> bool:
        """Whether a step needs the weights of the one before, so that whole sequences are not for it."""
        return self.remember is not None or self.window is not None

    def prepare(self, source: Tensor, mask: Tensor | None = None, window: int | None = None) -> Memory:
        """What steps need of a source (..., K, source_dim), computed once.

        mask: which of its positions may be attended to: boolean (..., K), or their number, int64 (...).
        window: another one than the module's own.
        """
        key = self._heads(source, "key")
        if self.position == "rotary":
            key = positions.rotary(key, torch.arange(key.shape[-2], device=key.device))
        keys = self.score.keys(key)
        if mask is not None and mask.dtype != torch.bool:
            if mask.is_floating_point():
                raise ValueError(f"mask: came as {mask.dtype}; expected boolean (..., K), or lengths as integers")
            mask = torch.arange(source.shape[-2], device=source.device) < mask[..., None]
        fertility = self.remember.fertility(source) if self.remember is not None else None
        # Heads that lie side by side would be copied apart by every step's products.
        value = self._heads(source, "value").contiguous()
        window = self.window if window is None else window
        return Memory(keys.key.contiguous(), value, keys.aid, mask, fertility, window)

    def initial_state(self, memory: Memory, queries: int) -> Tensor | None:
        """The state before the first step, for each of the queries by itself: (..., Q, H, K), or None."""
        if self.remember is None:
            return None
        *lead, heads, keys, _ = memory.key.shape
        return memory.key.new_zeros(*lead, queries, heads, keys)

    def step(
        self, query: Tensor, memory: Memory, state: Any = None, *, offset: int = 0
    ) -> tuple[Tensor, Tensor | Windowed, Any]:
        """One step of each query (..., Q, query_dim), which are independent hypotheses about the same source.

        All stand at the position `offset`. Returns the context (..., Q, output), the weights (..., H, Q, K) before
        dropout, in a window `Windowed`, and the next state. For scores that do not remember, and without a window, this
        equals the whole sequence.
        """
        q = self._queries(query)
        if memory.window is not None:
            found, windowed, state = step_within(self, q, memory, state)
            return self._output(found), windowed, state
        if self.position == "rotary":
            q = positions.rotary(q, torch.full((q.shape[-2],), offset, device=q.device))
        if self.remember is None:
            found = step_scores(self.score, q, scores.Keys(memory.key, memory.aid))
        else:
            if state is None:
                state = self.initial_state(memory, query.shape[-2])
                assert state is not None
            moved = self.remember(state.reshape(-1, state.shape[-1])).view(*state.shape, -1).transpose(-3, -4)
            found = additive_scores(q, memory.key, self.score_weight, moved)
        if self.position in ("alibi", "relative"):
            found = found + self._terms(memory.keys, offset)
        if memory.allowed is not None:
            found = found.masked_fill(~memory.allowed[..., None, None, :], float("-inf"))
        if self.kind is not None:
            weights, state = self.kind(found, query, memory.allowed, state, self.normalizer)
            return self._sum(weights, memory), weights, state
        context, weights = self._weigh(found, memory)
        if self.remember is not None and state is not None:
            fertility = None if memory.fertility is None else memory.fertility[..., None, None, :]
            state = self.remember.following(state, weights.transpose(-2, -3), fertility)
        return context, weights, state

    @property
    def looks_back(self) -> bool:
        """Whether `look_back` is possible: keys stand for themselves, and nothing is remembered."""
        return self.remember is None and base(self.score_name) not in ("distance", "location")

    def joined(self) -> Joined | None:
        """What makes queries, keys and values of the same input in one product; None where not all are projected."""
        if self.project != "all" or not self.compares_keys:
            return None
        parts = (self.query_projection, self.key_projection, self.value_projection)
        if len({part.in_features for part in parts}) > 1:
            return None
        bias = None if parts[0].bias is None else torch.cat([part.bias for part in parts])
        return Joined(torch.cat([part.weight for part in parts]), bias, tuple(part.out_features for part in parts))

    def look_back(
        self,
        x: Tensor,
        past: Memory | None,
        joined: Joined | None = None,
        *,
        at: int,
        mask: Tensor | None = None,
        places: Tensor | None = None,
    ) -> tuple[Tensor, Tensor, Memory]:
        """One step of self-attention: the positions of x (..., Q, query_dim) join the past, at which each looks back.

        Args:
            past: what was read before, or None.
            joined: `joined()`, which is the same for all steps.
            at: where all of x stand.
            mask: boolean (..., Q, K), which keys of the new past each may attend to, at least one; by default all.
            places: where these keys stand, int64 (K,); by default one after the other.

        Returns the context (..., Q, output), the weights (..., H, Q, K) before dropout, and the new past. Raises
        ValueError for scores whose keys depend on the whole sequence, and those that remember.
        """
        if not self.looks_back:
            raise ValueError(f"score: {self.score_name} {NOT_LONGER}")
        if joined is None:
            q, key, value = self._queries(x), self._heads(x, "key"), self._heads(x, "value")
        else:
            parts = linear(x, joined.weight, joined.bias).split(joined.units, -1)
            heads = (self.heads, self.kv_heads, self.kv_heads)
            q, key, value = (self._split(part, count) for part, count in zip(parts, heads, strict=True))
        if self.position == "rotary":
            here = torch.tensor([at], device=x.device)
            q, key = positions.rotary(q, here), positions.rotary(key, here)
        score = self.score
        keys = score.keys(key)
        memory = longer(past, keys, value)
        found = step_scores(score, q, scores.Keys(memory.key))
        if self.position in ("alibi", "relative"):
            terms = self._terms(at + 1, at)
            found = found + (terms if places is None else terms[..., places])
        if mask is not None:
            found = found.masked_fill(~mask[..., None, :, :], float("-inf"))
        return *self._weigh(found, memory), memory

    def _weigh(self, found: Tensor, memory: Memory) -> tuple[Tensor, Tensor]:
        """Context and weights of scores (..., H, Q, K); a row is without a key only if the memory has a mask."""
        weights = normalize(self.normalizer, found, memory.allowed is not None)
        return self._sum(weights, memory), weights

    def _sum(self, weights: Tensor, memory: Memory) -> Tensor:
        used = nn.functional.dropout(weights, self.dropout) if self.training else weights
        return self._output(torch.matmul(used.to(memory.value.dtype), memory.value))

    def _terms(self, keys: int, offset: int) -> Tensor:
        """What the position adds to the scores of queries at `offset`, (H, 1, keys)."""
        term = self._position().term((self.heads,), 1, keys, offset)
        return term.values.original[..., None, :]  # type: ignore[no-any-return]

    def _position(self) -> Any:
        if self.position == "alibi":
            return positions.alibi(self.slopes)  # type: ignore[arg-type]
        if self.position == "relative":
            return positions.relative(self.relative_table, self.furthest, self.both_directions)
        return self.position

    def _queries(self, query: Tensor) -> Tensor:
        """(..., Q, query_dim) to (..., H, Q, D)."""
        if self.project == "none":
            return query.unsqueeze(-3)
        return self._split(self.query_projection(query), self.heads)

    def _heads(self, source: Tensor, side: str) -> Tensor:
        """(..., K, source_dim) to (..., H, K, D), the keys or the values."""
        if side == "value":
            source = source[..., source.shape[-1] - self.values_from :]
        if self.project == "none" or (self.project == "scores" and side == "value"):
            return source.unsqueeze(-3)
        if side == "key" and not self.compares_keys:
            # Counted, and nothing more.
            return source[..., :1].expand(*source.shape[:-1], self.dim // self.heads).unsqueeze(-3)
        projection = self.key_projection if side == "key" else self.value_projection
        return self._split(projection(source), self.kv_heads)

    def _split(self, projected: Tensor, heads: int) -> Tensor:
        """(..., n, heads x D) to (..., H, n, D); what has fewer heads is there several times."""
        found: Tensor = projected.view(*projected.shape[:-1], heads, -1).transpose(-2, -3)
        return found if heads == self.heads else found.repeat_interleave(self.heads // heads, -3)

    def _output(self, context: Tensor) -> Tensor:
        """(..., H, Q, V) to (..., Q, output)."""
        merged = context.transpose(-2, -3).flatten(-2)
        return self.output_projection(merged) if self.project == "all" else merged  # type: ignore[no-any-return]


def _drawn(*shape: int, std: float) -> nn.Parameter:
    return nn.Parameter(torch.empty(shape).normal_(std=std))
