"""The English-Chinese pocket corpus: which constructions it is made of, how often, and how it is parted.

Every English sentence has one Chinese side. All variants of one meaning (the same Chinese, full stop or not) lie in the
same part, so that neither dev nor test repeats a sentence of training. The constructions of the part "templates" are
combinations, never seen in training, of phenomena that are.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from regard.data.pocket import lexicon, questions, sentences, statements, unseen
from regard.data.pocket.draw import Draw
from regard.data.pocket.pairs import Part, PocketPair
from regard.data.pocket.phrase import Phrase, weave

Build = Callable[[Draw], Phrase]

# The share of each construction, in thousandths.
CONSTRUCTIONS: dict[str, tuple[Build, int]] = {
    "simple present": (statements.simple_present, 55),
    "plain": (statements.plain, 75),
    "time": (statements.timed, 110),
    "place": (statements.placed, 45),
    "frequency": (statements.frequent, 40),
    "too, again": (statements.too_or_again, 30),
    "with somebody": (statements.social, 35),
    "with something": (statements.instrumental, 30),
    "manner": (statements.skill, 25),
    "giving": (statements.giving, 40),
    "putting": (statements.putting, 30),
    "going": (statements.going, 35),
    "quality": (statements.quality, 30),
    "comparison": (statements.comparison, 30),
    "identity": (statements.identity, 12),
    "owner": (statements.owned, 10),
    "having": (statements.having, 25),
    "existence": (statements.existence, 30),
    "location": (statements.location, 25),
    "yes or no": (questions.yes_or_no, 60),
    "who": (questions.who_does, 25),
    "asked object": (questions.asked_object, 40),
    "where, when, why": (questions.where_when_why, 40),
    "whose": (questions.whose, 8),
    "request": (questions.request, 40),
    "ability": (questions.ability, 30),
    "passive": (sentences.passive, 55),
    "asked passive": (sentences.asked_passive, 20),
    "described subject": (sentences.described_subject, 45),
    "described object": (sentences.described_object, 45),
    "wish": (sentences.wish, 30),
    "causing": (sentences.causing, 30),
    "hard or easy": (sentences.hard_or_easy, 20),
    "moment": (sentences.moment, 50),
    "contrast": (sentences.contrast, 15),
    "opinion": (sentences.opinion, 45),
}

SIZES: dict[Part, int] = {"train": 6000, "dev": 500, "test": 1000, "templates": 495}
# Held for the test part, as a fluent speaker and as a learner says it.
HELD = ("Tom chases Jerry.", "Tom chase Jerry")

_SOMEBODY = tuple(each.english for each in (*lexicon.NAMES, *lexicon.PEOPLE))
_NO_SPACE_BEFORE = {".", ",", "?", "'s"}
_SPEAKING_IN_HASTE = 0.06  # the share of sentences without their last mark


@dataclass(frozen=True)
class _Sentence:
    template: str
    words: Phrase

    @property
    def source(self) -> str:
        return join_english(self.words.source)

    @property
    def meaning(self) -> str:
        return "".join(self.words.target).rstrip("。？")


def join_english(words: tuple[str, ...]) -> str:
    """The words as English writes them: no space before a mark or before 's."""
    return "".join(word if word in _NO_SPACE_BEFORE else f" {word}" for word in words).removeprefix(" ")


def english_chinese(seed: int = 0) -> list[PocketPair]:
    """The whole corpus of a seed: 6,000 pairs to train on, then dev, test and templates."""
    draw = Draw(seed)
    parts: tuple[Part, ...] = ("test", "dev", "train")
    wanted = 1.02 * sum(SIZES[part] for part in parts)  # some constructions have fewer sentences than their share
    known = {sentence.source: sentence for sentence in _held()}
    for name, (build, share) in CONSTRUCTIONS.items():
        _collect(draw, known, name, build, round(share * wanted / _SHARES))
    fillers = draw.shuffled([sentence for sentence in known.values() if sentence.source not in HELD])
    by_meaning: dict[str, list[_Sentence]] = {}
    for sentence in [*_held(), *fillers]:
        by_meaning.setdefault(sentence.meaning, []).append(sentence)
    chosen: dict[Part, list[_Sentence]] = {part: [] for part in (*parts, "templates")}
    for group in by_meaning.values():
        part = next((part for part in parts if len(chosen[part]) + len(group) <= SIZES[part]), None)
        if part is not None:
            chosen[part] += group
    elsewhere = dict(known)
    for name, build in unseen.CONSTRUCTIONS.items():
        new = _collect(draw, elsewhere, name, build, SIZES["templates"] // len(unseen.CONSTRUCTIONS))
        chosen["templates"] += [sentence for sentence in new if sentence.meaning not in by_meaning]
    order: tuple[Part, ...] = ("train", "dev", "test", "templates")
    return [_pair(sentence, part) for part in order for sentence in chosen[part]]


_SHARES = sum(share for _, share in CONSTRUCTIONS.values())


def _held() -> list[_Sentence]:
    fluent = weave("Tom=a chases=b Jerry=c .=d", "汤姆=a 追=b 杰瑞=c 。=d")
    learner = weave("Tom=a chase=b Jerry=c", "汤姆=a 追=b 杰瑞=c")
    return [_Sentence("simple present", fluent), _Sentence("simple present", learner)]


def _collect(draw: Draw, known: dict[str, _Sentence], name: str, build: Build, count: int) -> list[_Sentence]:
    """That many new sentences of a construction, or as many as it has; `known` takes them in."""
    new: list[_Sentence] = []
    for _ in range(6 * count):
        if len(new) == count:
            break
        words = _finish(build(draw), hasty=draw.chance(_SPEAKING_IN_HASTE))
        if any(words.source.count(somebody) > 1 for somebody in _SOMEBODY):
            continue  # nobody would name the same person twice in a breath
        sentence = _Sentence(name, words)
        before = known.get(sentence.source)
        if before is None:
            known[sentence.source] = sentence
            new.append(sentence)
        elif before.words.target != words.target:
            raise ValueError(f"{sentence.source!r} has two translations: {before.words.target} and {words.target}")
    return new


def _finish(phrase: Phrase, hasty: bool) -> Phrase:
    """Capitalise the sentence; a hasty one loses its last mark on both sides."""
    source = (phrase.source[0][0].upper() + phrase.source[0][1:], *phrase.source[1:])
    if not hasty:
        return Phrase(source, phrase.target, phrase.sure, phrase.possible)
    i, j = len(source) - 1, len(phrase.target) - 1
    sure = frozenset(link for link in phrase.sure if link[0] != i and link[1] != j)
    possible = frozenset(link for link in phrase.possible if link[0] != i and link[1] != j)
    return Phrase(source[:-1], phrase.target[:-1], sure, possible)


def _pair(sentence: _Sentence, part: Part) -> PocketPair:
    words = sentence.words
    return PocketPair(
        source=sentence.source,
        target="".join(words.target),
        template=sentence.template,
        source_words=words.source,
        target_words=words.target,
        links=words.sure,
        possible=words.possible,
        part=part,
    )
