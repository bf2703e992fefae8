"""Word alignments of pairs: by one model, by one for each direction, and by two trained for nothing else."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

import numpy as np

from regard.data.corpora import read_any
from regard.data.features import text_of
from regard.data.lines import write_lines
from regard.data.reading import Pair, read_pairs, read_parallel
from regard.data.report import ReadReport
from regard.data.text import Span, is_unspaced, spans_of_words
from regard.errors import RegardError, did_you_mean
from regard.files import make_folder
from regard.maps import (
    METHODS,
    SYMMETRISATIONS,
    AttentionMap,
    Link,
    Links,
    flip,
    idle_words,
    links_from,
    mean_links,
    pharaoh,
    weigh,
    word_matrix,
)
from regard.maps.links import Weights
from regard.settings import DataSettings, Words

if TYPE_CHECKING:
    from regard.predictor import Predictor
    from regard.training.progress import Reporter

Counted: TypeAlias = Words | Literal["tokens"]
"""What links count; tokens are known only to the model that cuts them."""

LINKS = "links.pharaoh"
UNGUIDED, FORWARD, BACKWARD = "unguided", "forward", "backward"
SETTINGS: dict[str, Any] = {
    "model": {
        "encoder": {"memory": "words"},
        "decoder": {"input_feeding": False, "word_dropout": 0.3},
    },
    "training": {"rate": 3e-3, "schedule": "linear", "coverage": 0.4},
}
"""Of both directions, where no others are given: what made plain weights word alignments in the demonstration. The
embedding alone is what is looked up, every word is to be looked at once, and what was said is hidden at times."""

MEAN = "geometric-mean"
"""The symmetrisation that takes the weights of both directions, not their links; a threshold may follow a colon."""

TO_THE_LONGER: dict[str, Any] = {"model.cross.normalizer": "softmax:sink"}
"""Of the direction whose targets have more words, where no others are given. Some of these have no counterpart, and
would have to look at a word that is none; so they may look at nothing."""

_AT_ONCE = 1000


@dataclass(frozen=True)
class Way:
    """How weights become links.

    `words` is what counts as a word: `spaces`, `text`, or `tokens`, each token of the model. `method` (with
    `threshold`) makes the links of one direction; by argmax, a target word that looked at nothing more than at any
    source has none. `symmetrise` makes one set of two directions: intersection, union or grow-diag-final-and of the
    links of both, or geometric-mean:W, all pairs whose weights have a geometric mean of at least W (0.25 where none is
    given). `layer` and `head` (-1: the mean of all) choose the weights, None: those that the model shows. `reading`
    takes for each target word the weights of the step that read it; None: as links have guided the model, if any did.
    `weights` are the `prior`, what each word was predicted with, or the `posterior`, given the whole target
    (`Predictor.align`).
    """

    words: Counted = "spaces"
    method: str = "argmax"
    threshold: float = 0.5
    symmetrise: str = "grow-diag-final-and"
    layer: int | None = None
    head: int | None = None
    reading: bool | None = None
    weights: str = "prior"

    def __post_init__(self) -> None:
        if self.method not in METHODS:
            raise RegardError(f"--method: there is no {self.method!r}{did_you_mean(self.method, METHODS)}")
        symmetriser(self.symmetrise)
        if not self.threshold > 0:
            raise RegardError(f"--threshold: should be above 0, not {self.threshold}")


def aligned(
    pairs: Sequence[Pair], forward: Predictor, backward: Predictor | None = None, way: Way | None = None
) -> Iterator[dict[Link, float] | None]:
    """The links (source word, target word) of each pair with their weights, by forced decoding.

    With `backward`, a model from target to source, the links of both directions are made one set, and a weight is the
    mean of both. None for pairs that a model can't align, since a side is too long. Raises RegardError for a model
    without attention, or without the layer or head.
    """
    way = way or Way()
    for model in (forward, backward):
        if model is not None and not model.has_attention:
            raise RegardError("a model with a fixed context has no attention, so it aligns nothing")
        if model is not None and model.medium != "text":
            raise RegardError(f"a model of sources that are no texts ({model.medium}) aligns no words; use its maps")
    for start in range(0, len(pairs), _AT_ONCE):
        part = pairs[start : start + _AT_ONCE]
        there = _matrices(forward, [pair.source for pair in part], [pair.target for pair in part], way)
        if backward is None:
            for one in there:
                yield None if one is None else weigh(links_from(one[0], way.method, way.threshold, one[1]), one[0])
            continue
        back = _matrices(backward, [pair.target for pair in part], [pair.text for pair in part], way)
        for one, other in zip(there, back, strict=True):
            yield None if one is None or other is None else _both(one[0], other[0], way)


def read(
    pairs: str | Path,
    target: str | Path | None,
    columns: tuple[str | None, str | None] = (None, None),
    like: DataSettings | None = None,
) -> tuple[list[Pair], ReadReport]:
    """The pairs to be aligned, from a file (the columns of source and target where they are not the usual ones) or two
    parallel ones; read as those that a model was trained on, whose settings are `like` these."""
    if like is not None and not Path(pairs).is_dir():
        found, report, _ = read_any(pairs, target, DataSettings(medium="text"), like=like)
        return found, report
    if target is not None:
        return read_parallel(pairs, target)
    return read_pairs(pairs, source=columns[0], target=columns[1])


def unspaced(pairs: Sequence[Pair], words: Counted) -> str:
    """What a person should know where words are counted by spaces and a side has none; else nothing."""
    sides = []
    for side in ("source", "target") if words == "spaces" else ():
        texts = [getattr(pair, side) for pair in pairs]
        whole = sum(not any(map(str.isspace, text)) and any(map(is_unspaced, text)) for text in texts)
        if whole > len(texts) / 2:
            sides.append(f"{side}s")
    if not sides:
        return _alone(pairs, words)
    return (
        f"most {' and '.join(sides)} are written without spaces, and count as one word each; put spaces between their "
        "words, or count by --words text"
    )


def _alone(pairs: Sequence[Pair], words: Counted) -> str:
    """What a person should know where nearly all texts of a side are one word; else nothing."""
    if words == "tokens":
        return ""
    for side in ("source", "target"):
        alone = sum(len(spans_of_words(getattr(pair, side), words)) == 1 for pair in pairs)
        if pairs and alone > 0.9 * len(pairs):
            return f"most {side}s are one word each, so links say little; count the model's tokens by --words tokens"
    return ""


def by_line(found: Sequence[str], pairs: Sequence[Pair], report: ReadReport) -> list[str]:
    """A line for each line that was read: what was found for its pair, or an empty one where it gave none."""
    lines = [""] * report.lines
    for pair, line in zip(pairs, found, strict=True):
        lines[pair.line - report.first] = line
    return lines


def train_aligner(
    pairs: str | Path,
    *,
    out: str | Path = "aligner",
    target: str | Path | None = None,
    words: Words = "spaces",
    symmetrise: str = MEAN,
    rounds: int = 0,
    restart: bool = False,
    report: Reporter | Literal[False] | None = None,
    **settings: Any,
) -> Path:
    """Train models of both directions, and write the links in which they meet.

    In the folder `out`: `forward`, `backward` and their `links.pharaoh`, a line for each line of the pairs, whose path
    is returned. `symmetrise` is how links are made of the weights of both. In each of `rounds`, new models are guided
    by the links of those before: then `unguided` holds the first, with the links in which both agree, `round-1` and so
    on the guided ones but the last. What was stopped goes on from there when called again. `settings` are those of
    `regard.train`, of all trainings, and `report` as there.

    Raises RegardError as `regard.train` does, and for fewer than no rounds.
    """
    from regard.training.progress import told_to
    from regard.training.run import train

    with told_to(report) as told:
        if rounds < 0:
            raise RegardError(f"--rounds: {rounds}, but there can't be fewer than 0")
        # Of weights that nothing has guided yet, nearly all links are right in which both directions agree; words
        # without links are free to look where they would.
        agreed, way = Way(words, symmetrise="intersection"), Way(words, symmetrise=symmetrise)
        chosen = _over(SETTINGS, settings)
        listed, account = read(pairs, target, (chosen.pop("data.source", None), chosen.pop("data.target", None)))
        if complaint := unspaced(listed, words):
            told.say(complaint)
        folder = Path(out)
        make_folder(folder)
        sources, targets = folder / "source.txt", folder / "target.txt"
        write_lines(sources, by_line([pair.source for pair in listed], listed, account))
        write_lines(targets, by_line([pair.target for pair in listed], listed, account))

        longer = _longer(listed, words)

        def both(at: Path, links: Path | None, way: Way) -> Path:
            models = []
            for name, first, second in ((FORWARD, sources, targets), (BACKWARD, targets, sources)):
                told.say(f"{name}, {'guided by ' + str(links) if links else 'unguided'}")
                guided = None if links is None else _turned(links, name == BACKWARD)
                given = chosen if name == FORWARD else {_other_side(key): value for key, value in chosen.items()}
                if name == longer:
                    given = {**TO_THE_LONGER, **given}
                if guided is not None:
                    given = _over(given, {"training": {"guided_words": words}})
                models.append(
                    train(first, target=second, out=at / name, guided=guided, restart=restart, report=told, **given)
                )
            found = ["" if each is None else pharaoh(each) for each in aligned(listed, models[0], models[1], way)]
            write_lines(at / LINKS, by_line(found, listed, account))
            return at / LINKS

        links = None
        for number in range(rounds):
            links = both(folder / f"round-{number}" if number else folder / UNGUIDED, links, way if number else agreed)
        return both(folder, links, way)


def symmetriser(name: str) -> Callable[[Weights, Weights, Way], Links]:
    """From the weights of both directions, (T, S) and (S, T), to one set of links.

    Raises RegardError for a name that there is not, or a threshold that is no number between 0 and 1.
    """
    kind, colon, number = name.partition(":")
    if kind == MEAN:
        try:
            given = {"threshold": float(number)} if colon else {}
        except ValueError:
            given = {"threshold": 0.0}
        if not all(0 < value <= 1 for value in given.values()):
            raise RegardError(f"--symmetrise: {MEAN}:{number} should have a number above 0 and up to 1")
        return lambda there, back, way: mean_links(there, back, **given)
    if name not in SYMMETRISATIONS:
        raise RegardError(f"--symmetrise: there is no {name!r}{did_you_mean(name, (*SYMMETRISATIONS, MEAN))}")
    of_links = SYMMETRISATIONS[name]
    return lambda there, back, way: of_links(
        links_from(there, way.method, way.threshold), flip(links_from(back, way.method, way.threshold))
    )


# Parts ----------------------------------------------------------------------------------------------------------------


def _both(there: np.ndarray[Any, Any], back: np.ndarray[Any, Any], way: Way) -> dict[Link, float]:
    if there.shape != back.shape[::-1]:
        raise RegardError("the two models cut their texts into different tokens; count by --words spaces or text")
    return weigh(symmetriser(way.symmetrise)(there, back, way), there, back.T)


def _matrices(
    model: Predictor, sources: Sequence[str], targets: Sequence[str], way: Way
) -> list[tuple[Weights, Weights] | None]:
    """(target words, source words) of each pair, and with which weight each target word looked at nothing."""
    found: list[tuple[Weights, Weights] | None] = []
    for every in model.align(sources, targets, way.weights):
        if every is None:
            found.append(None)
            continue
        chosen = _chosen(model, every, way)
        if way.words == "tokens":
            inside = chosen.without_special()
            found.append((inside.matrix, inside.nothing().reshape(-1)))
        else:
            source, target = _spans(chosen, way)
            found.append((word_matrix(chosen, source, target), idle_words(chosen, target)))
    return found


def word_weights(model: Predictor, every: AttentionMap, way: Way) -> Weights:
    """(target words, source words): the layer, head and rows of a map of all of them that `way` asks for."""
    chosen = _chosen(model, every, way)
    if way.words == "tokens":
        return chosen.without_special().matrix
    return word_matrix(chosen, *_spans(chosen, way))


def _spans(map: AttentionMap, way: Way) -> list[list[Span]]:
    """Start and end of the words of source and target; features are no words."""
    assert way.words != "tokens"
    return [spans_of_words(text_of(side.text or ""), way.words) for side in (map.source, map.target)]


def _chosen(model: Predictor, every: AttentionMap, way: Way) -> AttentionMap:
    if way.layer is None and way.head is None:
        return model.shown(every, way.reading)
    layer, head = model.facts.shown
    layer = layer if way.layer is None else way.layer
    head = head if way.head is None else way.head
    found = every.select(layer=layer)
    one = found.mean("head") if head < 0 else found.select(head=head)
    reading = model.settings.training.guided_reading if way.reading is None else way.reading
    return one.after_reading() if reading else one


def _turned(links: Path, backward: bool) -> Path:
    """The file of links for a direction: the same, or one beside it with sources and targets exchanged."""
    if not backward:
        return links
    from regard.evaluation import read_links

    turned = links.with_name(f"backward-{links.name}")
    write_lines(turned, (pharaoh(flip(each)) for each in read_links(links)))
    return turned


def _longer(pairs: Sequence[Pair], words: Words) -> str:
    """The direction towards the side that has more words in all."""
    sources, targets = (
        sum(len(spans_of_words(getattr(pair, side), words)) for pair in pairs) for side in ("source", "target")
    )
    return FORWARD if targets > sources else BACKWARD


def _other_side(name: str) -> str:
    """What `data.source_tokens` and its like are called where the sides are exchanged."""
    parts = re.split("(source|target)", name) if name.startswith("data.") else [name]
    return "".join({"source": "target", "target": "source"}.get(part, part) for part in parts)


def _over(usual: Mapping[str, Any], given: Mapping[str, Any]) -> dict[str, Any]:
    """Settings by full names: the usual ones, overridden by those given."""
    from regard.configuration import flatten

    return {**flatten(usual), **flatten(given)}
