"""Search: the best targets of a model, greedily or with a beam, in batches; the kind of decoder is not known here.

At every step the `beam` best continuations of all live hypotheses of a source are taken. Those that end are kept, the
others live on. A hypothesis is scored

    log p(y) / lp(|y|) + cp,   lp(n) = ((5 + n) / 6)^alpha,   cp = beta sum_j log min(sum_i w_ij, 1)

(Wu et al. 2016, equation 14), |y| counting the mark of the end, w the mean of all layers' and heads' cross-attention.
Without a beam (`beam` = 1) this is greedy search, whatever the penalties.

With `sample` nothing is searched: every hypothesis is drawn from the distribution of the model, token by token and by
itself (`regard.model.drawing`). A prefix is what an output has to begin with: its tokens are said whatever the model
makes of them, and count like all others.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from regard.attention import dense, select
from regard.attention.selection import largest
from regard.errors import NotNumbersError, RegardError
from regard.memory import in_halves
from regard.model.contracts import Observed, ObservedStep, check_places, take
from regard.model.drawing import draw, draw_keys, key_of, uniform
from regard.model.trail import Band, Trail, array
from regard.settings import SearchSettings

# What a source position counts in the coverage penalty that was never looked at; its logarithm would be -inf.
UNSEEN = 1e-6
# Finished sources stay in the batch until they are this share of it: to take them out costs a copy.
IDLE = 0.25


class Model(Protocol):
    """What a search asks of a model; `EncoderDecoder` is one."""

    source_pad: int
    bos: int
    eos: int

    @property
    def never(self) -> tuple[int, ...]: ...

    @property
    def longest_target(self) -> int | None: ...

    def encode(self, source: Tensor, sizes: Tensor, observe: Collection[str] = ()) -> Any:
        """Sources as a tree of tensors (B, ...), with a `mask` (B, S) of their places.

        Its `observed` holds weights (B, H, S, S) if asked for.
        """
        ...

    def prepare(self, encoded: Any, window: int | None = None) -> Any: ...

    def start(self, encoded: Any, beams: int) -> Any: ...

    def step(self, tokens: Tensor, memory: Any, state: Any, observe: Collection[str] = ()) -> Any:
        """(log_probs (B, beams, vocabulary), state, observed weights (B, H, beams, S)) after tokens (B, beams)."""
        ...


@dataclass(frozen=True, eq=False)
class Hypothesis:
    """A found target."""

    tokens: tuple[int, ...]  # without the mark of the end
    log_prob: float  # the sum over all tokens and the mark
    score: float  # log_prob with the penalties
    attention: dict[tuple[str, int], npt.NDArray[np.floating[Any]] | Band]
    """Weights (H, T, S) of each place and layer observed, along this hypothesis' own path: row t is what was attended
    to when token t was predicted; the last of the T = len(tokens) + 1 rows is that of the mark. S is the number of
    places of the source, or T for `decoder.self`; `encoder.self` is (H, S, S). In a window they come as a `Band`."""


def search(
    model: Model,
    sources: Sequence[Any],
    settings: SearchSettings,
    *,
    pad: Callable[[Sequence[Any]], tuple[Tensor, Tensor]] | None = None,
    longest: Sequence[int] | None = None,
    prefixes: Sequence[Sequence[int]] | None = None,
    observe: Collection[str] = ("cross",),
    device: torch.device | str = "cpu",
) -> list[list[Hypothesis]]:
    """The `n_best` best targets of each source, best first, in the order of the sources; or `sample` drawn ones, in the
    order of their drawing.

    Args:
        model: an `EncoderDecoder`, or what does the same steps; evaluated as in prediction, whatever its mode.
        sources: token ids, or what `pad` takes; the length of each is how many places there are to attend to.
        pad: what makes of sources the tensors that the model encodes: them side by side, and their sizes.
        longest: for each source how many tokens a target may have, if `settings.max_length` does not say: where
            neither does, twice its length and ten.
        prefixes: for each source the tokens that its targets begin with.
        observe: the places whose weights come with every hypothesis.
        device: where the model is.

    Raises:
        RegardError: settings that do not fit each other, or a model whose probabilities are not numbers.
    """
    check_search(settings)
    check_places(observe)

    def searched(numbers: Sequence[int]) -> list[list[Hypothesis]]:
        side, sizes = (pad or padded_ids)([sources[number] for number in numbers])
        given = [tuple(prefixes[number]) if prefixes else () for number in numbers]
        limits = [
            max(len(prefix), _limit(model, settings, len(sources[n]), longest[n] if longest else None))
            for n, prefix in zip(numbers, given, strict=True)
        ]
        keys = [key_of(sources[number]) for number in numbers] if settings.sample is not None else []
        batch = _Search(model, (side.to(device), sizes.to(device)), limits, settings, observe, given, keys)
        return batch.run()

    def padded_ids(rows: Sequence[Any]) -> tuple[Tensor, Tensor]:
        lengths = torch.tensor([len(row) for row in rows])
        side = torch.full((len(rows), max(1, int(lengths.max()))), model.source_pad, dtype=torch.int64)
        for into, row in zip(side, rows, strict=True):
            into[: len(row)] = torch.as_tensor(np.asarray(row, np.int64))
        return side, lengths

    found: list[list[Hypothesis]] = [[] for _ in sources]
    order = sorted(range(len(sources)), key=lambda number: len(sources[number]))
    with torch.inference_mode(), _evaluating(model):
        for first in range(0, len(order), settings.batch):
            numbers = order[first : first + settings.batch]
            for number, hypotheses in zip(numbers, in_halves(searched, numbers, "texts"), strict=True):
                found[number] = hypotheses
    return found


def length_penalty(length: Any, alpha: float) -> Any:
    """((5 + length) / 6)^alpha, by which log-probabilities are divided   (Wu et al. 2016, equation 14)."""
    return ((5.0 + length) / 6.0) ** alpha


def coverage_penalty(covered: Tensor, mask: Tensor, beta: float) -> Tensor:
    """beta sum_j log min(covered_j, 1) over the places j where mask is True (Wu et al. 2016, equation 14).

    covered (..., S), the sum of the weights that each source position got; what got none counts as 1e-6.
    """
    return beta * covered.clamp(UNSEEN, 1.0).log().masked_fill(~mask, 0.0).sum(-1)


class _Search:
    """The search for a batch of sources. Rows are those sources that are still searched."""

    def __init__(
        self,
        model: Model,
        sources: tuple[Tensor, Tensor],
        limits: list[int],
        settings: SearchSettings,
        observe: Collection[str],
        prefixes: Sequence[Sequence[int]],
        keys: Sequence[int],
    ) -> None:
        self.model, self.settings = model, settings
        self.drawing = settings.sample is not None
        self.beams, self.n_best = settings.sample or settings.beam, settings.sample or settings.n_best
        self.keys = draw_keys(settings.seed, keys, self.beams) if self.drawing else None
        self.prefixes, self.longest_prefix = prefixes, max(map(len, prefixes))
        self.shown = frozenset(observe)
        self.observe = self.shown | {"cross"} if settings.coverage_penalty else self.shown
        self.encoded = model.encode(*sources, self.shown & {"encoder.self"})
        self.within_source: Observed = self.encoded.observed if "encoder.self" in self.shown else {}
        # One hypothesis of nothing; the first choice makes `beams` of it.
        self.memory, self.state = model.prepare(self.encoded, settings.window), model.start(self.encoded, 1)
        self.mask: Tensor = self.encoded.mask
        (count, places), device = self.mask.shape, self.mask.device
        self.rows = torch.arange(count, device=device)
        self.limits = torch.tensor(limits, device=device)
        self.lengths, self.shortest_limit = self.mask.sum(1).tolist(), min(limits)
        self.tokens = torch.full((count, 1), model.bos, device=device)
        self.covered = torch.zeros(count, 1, places, device=device)
        self.live = torch.zeros(count, 1, device=device)  # log-probabilities, -inf where there is no hypothesis
        self.never = torch.tensor(model.never, dtype=torch.int64, device=device)
        self.never_yet = torch.tensor((*model.never, model.eos), dtype=torch.int64, device=device)
        self.trail = Trail(self.shown)
        self.ended: list[list[tuple[float, float, float, int, int]]] = [[] for _ in range(count)]
        # What a live hypothesis of each row must beat: the worst of the n_best best that have ended, if so many have.
        self.bar = torch.full((count,), float("-inf"), dtype=torch.float64, device=device)
        self.barred = False  # whether any row has one

    def run(self) -> list[list[Hypothesis]]:
        for said in range(int(self.limits.max()) + 1):
            going = self._step(said)
            count = int(going.sum())
            if not count:
                break
            if count <= (1.0 - IDLE) * len(going):
                self._drop(going.nonzero().squeeze(1))
        return [self._hypotheses(number) for number in range(len(self.ended))]

    def _step(self, said: int) -> Tensor:
        """The next token of every hypothesis, of which each has `said` so far; which rows go on (rows,) boolean."""
        log_probs, state, observed = self.model.step(self.tokens, self.memory, self.state, self.observe)
        self._forbid(log_probs, said)
        hypotheses = log_probs.shape[1]
        found, parents, tokens = self._drawn(log_probs, said) if self.drawing else self._best(log_probs)
        self.trail.add(self.rows, hypotheses, parents, tokens, observed)
        self._cover(parents, observed)
        on = found > float("-inf")  # which neither what is ruled out is nor what is no number
        if said >= self.settings.min_length:
            ends = (tokens == self.model.eos) & on
            if bool(ends.any()):
                self._keep(ends, found, parents, said)
                on &= ~ends
        if self.barred:
            on &= self._may_win(found.masked_fill(~on, float("-inf")), said)[:, None]
        self.live = found if bool(on.all()) else found.masked_fill(~on, float("-inf"))
        self.tokens = tokens
        # Drawn hypotheses each go on by themselves, from the one of nothing.
        self.state = select(state, parents) if self.beams > 1 and (hypotheses == 1 or not self.drawing) else state
        return on.any(1)

    def _best(self, log_probs: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """The best continuations of each row, (rows, beams): their log-probabilities, parents and tokens."""
        _, hypotheses, vocabulary = log_probs.shape
        found, places = largest(log_probs.add_(self.live[..., None]).flatten(1), self.beams)
        parents, tokens = (places // vocabulary, places % vocabulary) if hypotheses > 1 else (places * 0, places)
        return found, parents, tokens

    def _drawn(self, log_probs: Tensor, said: int) -> tuple[Tensor, Tensor, Tensor]:
        """The same of tokens that are drawn, one for each hypothesis."""
        settings, device = self.settings, log_probs.device
        count, hypotheses, vocabulary = log_probs.shape
        log_probs = log_probs.expand(count, self.beams, vocabulary)
        numbers = torch.from_numpy(uniform(self.keys[self.rows.cpu().numpy()], said)).to(device)  # type: ignore[index]
        tokens = draw(log_probs, numbers, settings.temperature, settings.top_k, settings.top_p)
        parents = torch.arange(self.beams, device=device).clamp(max=hypotheses - 1).expand(count, -1)
        return self.live + log_probs.gather(2, tokens[..., None]).squeeze(2), parents, tokens

    def _forbid(self, log_probs: Tensor, said: int) -> None:
        """Rule out what can't come next, in place: padding, an end too early, at the limit all but the end, and within
        a prefix all but its token."""
        eos = self.model.eos
        forced = None
        if said < self.longest_prefix:
            rows = [(at, self.prefixes[number]) for at, number in enumerate(self.rows.tolist())]
            within = [(at, prefix[said]) for at, prefix in rows if said < len(prefix)]
            at, tokens = torch.tensor(within, device=log_probs.device).view(-1, 2).unbind(1)
            forced = at, tokens, log_probs[at, :, tokens]  # which may be what is never said otherwise
        log_probs.index_fill_(2, self.never_yet if said < self.settings.min_length else self.never, float("-inf"))
        if forced is not None:
            self._leave_only(log_probs, *forced)
        if said >= self.shortest_limit:
            last = (self.limits <= said).nonzero().squeeze(1)
            self._leave_only(log_probs, last, torch.full_like(last, eos), log_probs[last, :, eos])

    @staticmethod
    def _leave_only(log_probs: Tensor, rows: Tensor, tokens: Tensor, kept: Tensor) -> None:
        """Rule out all but one token in some of the rows, in place; `kept` are the log-probabilities of these."""
        log_probs[rows] = float("-inf")
        log_probs[rows, :, tokens] = kept

    def _cover(self, parents: Tensor, observed: ObservedStep) -> None:
        """Add up what each hypothesis has attended to, of the places (rows, beams, S)."""
        if not self.settings.coverage_penalty:
            return
        cross = [dense(weights).mean(1) for (place, _), weights in observed.items() if place == "cross"]
        if not cross:
            raise RegardError("search.coverage_penalty: this model has no attention to its source; set it to 0")
        self.covered = select(self.covered + torch.stack(cross).mean(0), parents)

    def _keep(self, ends: Tensor, found: Tensor, parents: Tensor, said: int) -> None:
        """Store the hypotheses that end at this step."""
        scores = found.double() / length_penalty(said + 1, self.settings.length_penalty)
        if self.settings.coverage_penalty:
            scores = scores + coverage_penalty(self.covered, self.mask[:, None], self.settings.coverage_penalty)
        row, beam = ends.nonzero(as_tuple=True)
        parts = (self.rows[row], found[row, beam], scores[row, beam], parents[row, beam], beam)
        for number, log_prob, score, parent, place in zip(*(part.tolist() for part in parts), strict=True):
            # By what they are ranked comes first: for drawn ones that is the order of drawing.
            self.ended[number].append((-place if self.drawing else score, score, log_prob, said, parent))
        if self.drawing:
            return
        count = self.n_best
        for place, number in zip(row.tolist(), parts[0].tolist(), strict=True):
            if len(self.ended[number]) >= count:
                self.bar[place], self.barred = sorted(self.ended[number], reverse=True)[count - 1][0], True

    def _may_win(self, live: Tensor, said: int) -> Tensor:
        """Whether a row's live hypotheses may still beat the worst of the `n_best` kept ones.

        Log-probabilities only fall and coverage costs at least nothing, so the best that may come of a live one is its
        log-probability now under the most lenient length penalty to come: that of the next step, or of the last.
        """
        alpha, best = self.settings.length_penalty, live.amax(1).double()
        soon = best / length_penalty(said + 2, alpha)
        late = best / length_penalty((self.limits + 1).double(), alpha)
        return torch.maximum(soon, late) > self.bar

    def _drop(self, index: Tensor) -> None:
        """Go on with these rows alone."""
        self.encoded = take(self.encoded, index)
        self.memory = self.model.prepare(self.encoded, self.settings.window)
        self.state = take(self.state, index)
        for name in ("rows", "limits", "mask", "tokens", "covered", "live", "bar"):
            setattr(self, name, getattr(self, name)[index])

    def _hypotheses(self, number: int) -> list[Hypothesis]:
        best = sorted(self.ended[number], key=lambda one: -one[0])[: self.n_best]
        if not best:
            raise NotNumbersError("search: the model gives no token a probability; its parameters may not be numbers")
        found = []
        for _, score, log_prob, said, parent in best:
            length = self.lengths[number]
            tokens, attention = self.trail.follow(number, said, parent, length)
            for place, weights in self.within_source.items():
                attention[place] = array(weights[number, :, :length, :length])
            found.append(Hypothesis(tokens, log_prob, score, attention))
        return found


def _limit(model: Model, settings: SearchSettings, length: int, given: int | None) -> int:
    """The most tokens of a target."""
    limit = settings.max_length
    if limit is None:
        limit = 2 * length + 10 if given is None else given
    if model.longest_target is not None:
        limit = min(limit, model.longest_target)
    return max(limit, settings.min_length)


def check_search(settings: SearchSettings) -> None:
    """Raises RegardError for settings that contradict each other, or do nothing."""
    for name in ("beam", "n_best", "batch"):
        if getattr(settings, name) < 1:
            raise RegardError(f"search.{name}: came {getattr(settings, name)}; expected 1 or more")
    if not settings.coverage_penalty >= 0:
        raise RegardError(f"search.coverage_penalty: came {settings.coverage_penalty}; expected 0 or more")
    if settings.sample is None:
        for name, nothing in (("temperature", 1.0), ("top_k", None), ("top_p", None)):
            if getattr(settings, name) != nothing:
                raise RegardError(f"search.{name}: nothing is drawn; give search.sample, how many outputs are to be")
    elif settings.n_best > 1:
        raise RegardError("search.n_best: there are as many outputs as are drawn, search.sample; leave it at 1")
    if settings.n_best > settings.beam:
        raise RegardError(
            f"search.n_best: {settings.n_best} predictions need a beam of at least as many, but search.beam is "
            f"{settings.beam}"
        )
    if settings.max_length is not None and settings.max_length < settings.min_length:
        raise RegardError(
            f"search.max_length: {settings.max_length} is less than search.min_length, {settings.min_length}"
        )


@contextmanager
def _evaluating(model: Any) -> Iterator[None]:
    """No dropout while searching; the mode is put back afterwards."""
    training = isinstance(model, nn.Module) and model.training
    if training:
        model.eval()
    try:
        yield
    finally:
        if training:
            model.train()
