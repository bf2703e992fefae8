"""The attention map: weights together with what their rows and columns mean."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal, TypeAlias, get_args

import numpy as np
import numpy.typing as npt

from regard.errors import RegardError, did_you_mean
from regard.maps.links import Links, links_from
from regard.maps.media import Medium, check_medium
from regard.maps.tokens import Tokens

Weights: TypeAlias = npt.NDArray[np.floating[Any]]
Convention: TypeAlias = Literal["predicting", "reading"]

#: What the reading calls worth naming: a smaller rest is the rounding of half floats.
_ROUNDING = 1e-3


@dataclass(frozen=True, eq=False, repr=False)
class AttentionMap:
    """For each target token a distribution over the source.

    `weights` has shape (*axes, T, S): T = `len(target)` rows, S = `len(source)` columns, and before them the axes that
    `axes` names, `("layer", "head")` for a whole model, `()` for a single matrix. Weights are finite and not negative.
    A row sums to 1 less what was left out of it, or to 0 where there was nothing to attend to.

    `place` names the attention in its model (`"cross"`, `"encoder.self"`). `convention` says what a row follows: with
    `"predicting"`, row t holds what was attended to when target token t was predicted; with `"reading"`, when it was
    read as input (that of Shift-Att, Chen et al. 2020). `left_out`, (*axes, T), is the weight that was dropped from the
    map, of source tokens or of all but the heaviest; None where nothing was. `note` says what was done to the weights,
    for people. `medium` is the image or the recording whose places `source` names, where it is no text; every operation
    keeps it.

    Raises `RegardError` where shape, axes and tokens do not fit each other.
    """

    weights: Weights
    source: Tokens
    target: Tokens
    axes: tuple[str, ...] = ("layer", "head")
    place: str = "cross"
    convention: Convention = "predicting"
    left_out: Weights | None = None
    note: str = ""
    medium: Medium | None = None

    def __post_init__(self) -> None:
        if not np.issubdtype(self.weights.dtype, np.floating):
            raise RegardError(f"attention map: weights are {self.weights.dtype}, not floating-point numbers")
        if self.weights.ndim != len(self.axes) + 2:
            expected = ", ".join((*self.axes, "target", "source"))
            raise RegardError(f"attention map: weights have {self.weights.ndim} dimensions, expected ({expected})")
        if self.weights.shape[-2:] != (len(self.target), len(self.source)):
            rows, columns = self.weights.shape[-2:]
            raise RegardError(
                f"attention map: weights are {rows} x {columns}, "
                f"but there are {len(self.target)} target and {len(self.source)} source tokens"
            )
        if len(set(self.axes)) != len(self.axes):
            raise RegardError(f"attention map: an axis is named twice in {self.axes}")
        if self.convention not in get_args(Convention):
            raise RegardError(f"attention map: convention {self.convention!r} is neither 'predicting' nor 'reading'")
        if self.left_out is not None and self.left_out.shape != self.weights.shape[:-1]:
            raise RegardError("attention map: left_out has not one number for each row of the weights")
        for name, numbers in (("weights", self.weights), ("left_out", self.left_out)):
            if numbers is not None and not (np.isfinite(numbers).all() and (numbers >= 0).all()):
                raise RegardError(f"attention map: {name} must be finite and not negative")
        if self.medium is not None:
            check_medium(self.medium, self.source)

    # Choosing ---------------------------------------------------------------------------------------------------------

    @property
    def matrix(self) -> Weights:
        """The weights of a map of one matrix, (T, S); raises `RegardError` where a choice is still open."""
        if any(size > 1 for size in self.weights.shape[:-2]):
            sizes = " x ".join(f"{n} {axis}s" for axis, n in zip(self.axes, self.weights.shape, strict=False))
            choice = ", ".join(f"{axis}=0" for axis in self.axes)
            raise RegardError(f"this attention map has {sizes}: choose with select({choice}) or average with mean()")
        return self._single(self.weights)

    def _single(self, numbers: npt.NDArray[Any]) -> npt.NDArray[Any]:
        """Numbers of each row of a map of one matrix, without its axes of size 1."""
        return numbers.reshape(numbers.shape[len(self.axes) :])

    def select(self, **chosen: int | Sequence[int]) -> AttentionMap:
        """The map of some layers or heads: `select(layer=5)` drops the axis, `select(head=[0, 2])` keeps it.

        Negative numbers count from the end. Raises `RegardError` for an axis or a number that is not there.
        """
        result = self
        for axis, choice in chosen.items():
            at = result._position(axis)
            size = result.weights.shape[at]
            numbers = [choice] if isinstance(choice, int) else list(choice)
            for number in numbers:
                if not -size <= number < size:
                    raise RegardError(f"attention map: there is no {axis} {number}; they are numbered 0 to {size - 1}")
            index: Any = choice if isinstance(choice, int) else numbers
            named = ", ".join(str(number % size) for number in numbers)
            axes = result.axes[:at] + result.axes[at + 1 :] if isinstance(choice, int) else result.axes
            result = result._changed(lambda a, i=index, at=at: np.take(a, i, axis=at), axes, f"{axis} {named}")
        return result

    def mean(self, *axes: str) -> AttentionMap:
        """The average over the axes named, over all of them by default."""
        result = self
        for axis in axes or self.axes:
            at = result._position(axis)
            size = result.weights.shape[at]
            if size == 0:
                raise RegardError(f"attention map: there is no {axis} to average")
            note = f"mean of {size} {axis}s" if size > 1 else ""
            result = result._changed(
                # Half floats are summed in single precision; the result has the type of the map.
                lambda a, at=at: a.mean(axis=at, dtype=np.promote_types(a.dtype, np.float32)).astype(a.dtype),
                result.axes[:at] + result.axes[at + 1 :],
                note,
            )
        return result

    def panels(self) -> Iterator[tuple[tuple[int, ...], AttentionMap]]:
        """Every single matrix of the map with its place on the axes, in order."""
        for index in np.ndindex(*self.weights.shape[:-2]):
            yield index, self.select(**dict(zip(self.axes, index, strict=True)))

    def _position(self, axis: str) -> int:
        if axis not in self.axes:
            known = did_you_mean(axis, self.axes) if self.axes else "; it has none left"
            raise RegardError(f"attention map: no axis is named {axis!r}{known}")
        return self.axes.index(axis)

    def _changed(self, change: Any, axes: tuple[str, ...], note: str) -> AttentionMap:
        """The map with `change` applied to everything that has the leading axes."""
        left_out = None if self.left_out is None else change(self.left_out)
        return replace(self, weights=change(self.weights), left_out=left_out, axes=axes, note=_joined(self.note, note))

    # Labels -----------------------------------------------------------------------------------------------------------

    def merged(self) -> AttentionMap:
        """Words instead of pieces: the weights of a source word's pieces add up, a target word's rows are averaged.

        The sum of a row is thus the mean of the sums of the rows it was made of.
        """
        sources, targets = self.source.groups(), self.target.groups()
        if len(sources) == len(self.source) and len(targets) == len(self.target):
            return replace(self, source=self.source.merged(), target=self.target.merged())
        exact = np.promote_types(self.weights.dtype, np.float32)
        gather = np.zeros((len(self.source), len(sources)), dtype=exact)
        for word, group in enumerate(sources):
            gather[list(group), word] = 1
        average = np.zeros((len(targets), len(self.target)), dtype=exact)
        for word, group in enumerate(targets):
            average[word, list(group)] = 1 / len(group)
        left_out = None if self.left_out is None else (self.left_out @ average.T).astype(self.left_out.dtype)
        return replace(
            self,
            weights=(average @ (self.weights @ gather)).astype(self.weights.dtype),
            source=self.source.merged(),
            target=self.target.merged(),
            left_out=left_out,
            note=_joined(self.note, "pieces merged into words"),
        )

    def without_special(self) -> AttentionMap:
        """The map of the text alone: tokens outside it (such as the end of the sentence) are dropped on both sides.

        The weight of the dropped source tokens goes to `left_out`, and the note states its mean over the rows.
        """
        columns = [i for i, special in enumerate(self.source.special) if not special]
        rows = [i for i, special in enumerate(self.target.special) if not special]
        weights = self.weights[..., rows, :]
        before = np.zeros(weights.shape[:-1], self.weights.dtype) if self.left_out is None else self.left_out[..., rows]
        dropped = [i for i, special in enumerate(self.source.special) if special]
        gone = weights[..., dropped].sum(axis=-1).astype(weights.dtype)
        note = ""
        if dropped:
            names = ", ".join(dict.fromkeys(self.source.labels[i] for i in dropped))
            share = float(gone.mean(dtype=np.float64)) if gone.size else 0.0
            note = f"without {names} (mean weight {share:.2f})"
        return replace(
            self,
            weights=weights[..., columns],
            source=self.source.take(columns),
            target=self.target.take(rows),
            left_out=before + gone if dropped or self.left_out is not None else None,
            note=_joined(self.note, note),
        )

    def heaviest(self, count: int) -> AttentionMap:
        """The map with the `count` heaviest weights of each row alone; the others are 0, and go to `left_out`."""
        if count >= len(self.source):
            return self
        positions, found = self.top(count)
        weights = np.zeros_like(self.weights)
        np.put_along_axis(weights, positions, found, axis=-1)
        exact = np.promote_types(self.weights.dtype, np.float32)
        gone = (self.weights.sum(axis=-1, dtype=exact) - weights.sum(axis=-1, dtype=exact)).clip(0)
        share = float(gone.mean(dtype=np.float64)) if gone.size else 0.0
        left_out = gone if self.left_out is None else gone + self.left_out
        note = f"the {count} heaviest weights of each row (mean weight left out {share:.2f})"
        return replace(
            self, weights=weights, left_out=left_out.astype(self.weights.dtype), note=_joined(self.note, note)
        )

    def after_reading(self) -> AttentionMap:
        """From `"predicting"` to `"reading"`: row t becomes that of the step that read target token t as its input.

        That step predicted token t + 1, so the last token (the end of the sentence, as a rule) has no row any more,
        and neither has the first step, which read no target token.
        """
        if self.convention == "reading":
            return self
        kept = range(max(len(self.target) - 1, 0))
        return replace(
            self,
            weights=self.weights[..., 1:, :],
            target=self.target.take(kept),
            left_out=None if self.left_out is None else self.left_out[..., 1:],
            convention="reading",
        )

    # Numbers ----------------------------------------------------------------------------------------------------------

    def argmax(self) -> npt.NDArray[np.int64]:
        """(*axes, T): the source position that weighs most, the lowest of equals; -1 in a row without any weight."""
        if not len(self.source):
            return np.full(self.weights.shape[:-1], -1)
        return np.where(self.weights.max(axis=-1) > 0, self.weights.argmax(axis=-1), -1)

    def top(self, k: int) -> tuple[npt.NDArray[np.int64], Weights]:
        """The positions and weights, each (*axes, T, min(k, S)), of the k heaviest source tokens, lowest index first
        among equals."""
        # Sorting the negative weights stably keeps equal ones in their order.
        order = np.argsort(-self.weights, axis=-1, kind="stable")[..., :k]
        return order, np.take_along_axis(self.weights, order, axis=-1)

    def entropy(self) -> npt.NDArray[np.float64]:
        """(*axes, T): -sum_j p_j ln p_j in nats, of each row brought to sum 1; 0 for a row without any weight."""
        weights = self.weights.astype(np.float64)
        total = weights.sum(axis=-1, keepdims=True)
        share = np.divide(weights, total, out=np.zeros_like(weights), where=total > 0)
        terms = np.multiply(share, np.log(share, out=np.zeros_like(share), where=share > 0))
        # Adding 0 turns the -0.0 of a row with one certain choice into 0.0.
        result: npt.NDArray[np.float64] = -terms.sum(axis=-1) + 0.0
        return result

    def support(self, above: float = 0.0) -> npt.NDArray[np.int64]:
        """(*axes, T): how many source tokens weigh more than `above`."""
        result: npt.NDArray[np.int64] = (self.weights > above).sum(axis=-1)
        return result

    def coverage(self) -> npt.NDArray[np.float64]:
        """(*axes, S): the weight that each source token received from all target tokens together."""
        result: npt.NDArray[np.float64] = self.weights.sum(axis=-2, dtype=np.float64)
        return result

    def nothing(self) -> npt.NDArray[np.float64]:
        """(*axes, T): the weight of looking at nothing: what a row lacks of a sum of 1 and was not left out of the map.

        That is the weight of the sink (normalizer `softmax:sink`) where there is one, and 0 but for rounding of other
        distributions.
        """
        found: npt.NDArray[np.float64] = 1 - self.weights.sum(axis=-1, dtype=np.float64)
        if self.left_out is not None:
            found -= self.left_out
        return found.clip(0.0)

    def links(self, method: str = "argmax", threshold: float = 0.5) -> Links:
        """Word alignment of a single matrix as links (source, target): `argmax`, `threshold` or `assignment`.

        Positions count the tokens of the text, so that a special token in front shifts nothing. A target whose
        heaviest source is special is not linked (by `argmax`), and neither is one that looked at `nothing` more than at
        any source: it was attended to as nothing in the text.
        """
        links = links_from(self.matrix, method, threshold, self._single(self.nothing()))
        source, target = _text_positions(self.source), _text_positions(self.target)
        return frozenset((source[s], target[t]) for s, t in links if s in source and t in target)

    def reading(self, top: int = 4) -> str:
        """A single matrix in words, a line for each target token: `汤姆 <- Tom 0.93, chases 0.05 (rest 0.02)`.

        Each line names the `top` heaviest source tokens that weigh anything, and states the weight of all others and
        of those that were left out of the map. A row without any weight says so.
        """
        matrix = self.matrix
        left_out = np.zeros(len(self.target)) if self.left_out is None else self._single(self.left_out)
        positions, weights = (self._single(each) for each in self.top(top))
        labels = self.source.labels
        lines = []
        for t, target in enumerate(self.target.labels):
            shown = [(labels[s], float(w)) for s, w in zip(positions[t], weights[t], strict=True) if w > 0]
            total = float(matrix[t].sum(dtype=np.float64)) + float(left_out[t])
            rest = total - sum(weight for _, weight in shown)
            parts = [", ".join(f"{label} {weight:.2f}" for label, weight in shown)]
            if not total:
                parts = ["(no weight at all)"]
            elif rest > _ROUNDING:
                parts.append(f"(rest {rest:.2f})" if rest >= 0.005 else "(rest below 0.01)")
            lines.append(f"{target} <- {' '.join(part for part in parts if part)}")
        return "\n".join(lines)

    @property
    def description(self) -> str:
        """One line: place, convention, the axes on which a choice is open, and what was done to the weights."""
        sizes = zip(self.axes, self.weights.shape, strict=False)
        open_axes = " x ".join(f"{size} {axis}s" for axis, size in sizes if size != 1)
        return "; ".join(part for part in (f"{self.place} attention, {self.convention}", open_axes, self.note) if part)

    def __repr__(self) -> str:
        """Short, for an interpreter; the numbers are in `weights`, the words in `source` and `target`."""
        over = "" if self.medium is None else f", {self.medium!r}"
        sizes = f"{len(self.target):,} target x {len(self.source):,} source tokens"
        return f"AttentionMap({self.description}; {sizes}{over})"

    def show(self) -> None:
        """Print the map as a heat map; of layers and heads that are still open, the mean."""
        from regard.view.terminal import show

        show(self.mean() if self.axes else self)

    def _repr_html_(self) -> str:
        """The map in a notebook: the page of `regard.view.page`, in a frame that reaches nothing outside itself."""
        # Maps know nothing of views; a notebook asks the map itself for its picture.
        from regard.view.page import frame

        return frame(self)


def _joined(note: str, more: str) -> str:
    return f"{note}; {more}" if note and more else note or more


def _text_positions(tokens: Tokens) -> dict[int, int]:
    """For each position of a token of the text its number among them."""
    inside = [i for i, special in enumerate(tokens.special) if not special]
    return {position: number for number, position in enumerate(inside)}
