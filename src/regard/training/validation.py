"""How good a model is on held-out pairs, and samples of what it says and looks at."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch

from regard.data.batches import evaluation_batches
from regard.data.collate import Batch, side_by_side, with_targets
from regard.data.examples import Examples
from regard.data.media import Generators, Source
from regard.data.text import normalise
from regard.data.tokenisers import Tokeniser
from regard.errors import NotNumbersError
from regard.evaluation import METRICS, score
from regard.memory import in_halves

if TYPE_CHECKING:
    from regard.predictor import Predictor

_CELLS = 4_000
_MOST_DECODED = 500
#: Whatever the search of the model is to be, what is measured is not left to chance.
_GREEDILY: dict[str, Any] = {"beam": 1, "n_best": 1, "sample": None, "temperature": 1.0, "top_k": None, "top_p": None}


@dataclass(frozen=True)
class Validation:
    """What was measured: the mean negative log-likelihood of a target token, and the metric where it is another.

    `zeros` is the share of the weights over source tokens that are exactly 0, of attention that can have such.
    """

    loss: float
    metric: str
    score: float
    zeros: float | None = None

    @property
    def record(self) -> dict[str, float]:
        """The numbers by the names that they have in `metrics.jsonl`."""
        found = {"dev_loss": self.loss} | ({} if self.metric == "loss" else {self.metric: self.score})
        return found if self.zeros is None else found | {"zeros": self.zeros}

    def __str__(self) -> str:
        extra = "" if self.metric == "loss" else f", {self.metric} {self.score:.2f}"
        zeros = "" if self.zeros is None else f", {100 * self.zeros:.0f} % of the weights 0"
        return f"validation loss {self.loss:.4f}{extra}{zeros}"


def is_better(metric: str, score: float, best: float | None) -> bool:
    """Whether a score beats the best one so far, in the metric's right direction. A score that is no number never."""
    if score != score:
        return False
    higher = metric != "loss" and METRICS[metric].higher_is_better
    return best is None or (score > best if higher else score < best)


def make_batch(
    examples: Examples, indices: Sequence[int], source: Source, target: Tokeniser, draws: Generators | None = None
) -> Batch:
    """The examples of those `indices` side by side; images and recordings varied by `draws`, one for each."""
    side = side_by_side([examples.sources[index] for index in indices], source, draws)
    return with_targets(*side, examples.targets, indices, target_pad=target.pad, bos=target.bos, eos=target.eos)


@torch.no_grad()
def dev_loss(model: Any, examples: Examples, source: Source, target: Tokeniser, device: torch.device) -> float:
    """Negative log-likelihood in nats, summed over all target tokens (end marks among them), by their number."""

    def losses(indices: Sequence[int]) -> list[tuple[float, int]]:
        found = model.loss(make_batch(examples, indices, source, target).to(device))
        return [(float(found.nll), int(found.tokens))]

    was_training = model.training
    model.eval()
    total, tokens = 0.0, 0
    for indices in evaluation_batches(examples.target_lengths, size=_CELLS, unit="tokens"):
        for loss, count in in_halves(losses, indices, "pairs for validation"):
            total, tokens = total + loss, tokens + count
    model.train(was_training)
    return total / tokens


@torch.no_grad()
def share_of_zeros(predictor: Predictor, examples: Examples, chosen: Sequence[int]) -> float:
    """How many of the weights over the source, of all layers and heads, are exactly 0 when targets are forced."""
    model = predictor.model

    def counted(indices: Sequence[int]) -> list[tuple[int, int]]:
        some = [chosen[index] for index in indices]
        batch = make_batch(examples, some, predictor.source, predictor.target).to(predictor.device)
        sizes = zip(batch.target_lengths.tolist(), (examples.source_lengths[index] for index in some), strict=True)
        rows = torch.stack(list(model.forced(batch, ("cross",)).observed.values()), 1)
        weights = [row[..., :target, : int(source)] for row, (target, source) in zip(rows, sizes, strict=True)]
        return [(int((each == 0).sum()), each.numel()) for each in weights]

    was_training = model.training
    model.eval()
    lengths = examples.target_lengths[list(chosen)]
    batches = evaluation_batches(lengths, size=_CELLS, unit="tokens")
    found = [pair for batch in batches for pair in in_halves(counted, batch, "pairs for validation")]
    model.train(was_training)
    return sum(zeros for zeros, _ in found) / max(1, sum(count for _, count in found))


def validate(predictor: Predictor, examples: Examples, metric: str) -> Validation:
    """Measure a model on examples: its loss on all of them, the metric on at most 500, greedily decoded.

    The share of weights that are 0 is that of these 500 too.
    """
    loss = dev_loss(predictor.model, examples, predictor.source, predictor.target, predictor.device)
    # Every k-th, so that any order of the file is sampled evenly.
    chosen = range(0, len(examples), -(-len(examples) // _MOST_DECODED))
    zeros = share_of_zeros(predictor, examples, chosen) if predictor.settings.model.may_weigh_0 else None
    if metric == "loss":
        return Validation(loss, metric, loss, zeros)
    try:
        found = predictor.predict([examples.given(index) for index in chosen], **_GREEDILY)
    except NotNumbersError:
        return Validation(loss, metric, math.nan, zeros)
    targets = [examples.pairs[index].targets for index in chosen]
    # A model that folds case says nothing in upper case; its targets are compared as it learns them.
    measured = score(metric, [each.text for each in found], targets, lowercase=predictor.target.casing == "fold")
    return Validation(loss, metric, measured.value, zeros)


def samples(predictor: Predictor, examples: Examples, chosen: Sequence[int]) -> str:
    """What the model says to some sources, beside what it should; of the first, for each token what it looked at."""
    shown: list[str] = []
    try:
        said = predictor.predict([examples.given(index) for index in chosen], **_GREEDILY)
    except NotNumbersError:
        return "  (no samples: the model's probabilities are no numbers)"
    for index, found in zip(chosen, said, strict=True):
        pair = examples.pairs[index]
        target = normalise(pair.target, predictor.target.casing)
        verdict = "right" if found.text == target else f"should be: {target}"
        shown.append(f"  {pair.source}  ->  {found.text}  ({verdict})")
        if len(shown) == 1 and found.attention is not None:
            shown += [f"    {line}" for line in found.attention.reading(3).splitlines()]
    return "\n".join(shown)
