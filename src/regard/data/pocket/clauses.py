"""Clauses of the English-Chinese pocket corpus: a deed, its doer, its object, a tense, and where and when.

English says "Tom read books [in the park] [every day]", Chinese "Tom [every day] [in the park] read books"; questions
move in English and stay in Chinese. Both orders of every clause are the two long patterns that end `clause` and
`question`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from regard.data.pocket import lexicon
from regard.data.pocket.draw import Draw
from regard.data.pocket.lexicon import Deed, Noun, Verb
from regard.data.pocket.nominals import (
    DEFINITE,
    INDEFINITE,
    NOBODY,
    Agreement,
    Determiner,
    Nominal,
    bare,
    being,
    of_noun,
)
from regard.data.pocket.nominals import person as somebody
from regard.data.pocket.phrase import EMPTY, Phrase, weave


@dataclass(frozen=True)
class Tense:
    """How a tense, modal or negation is said.

    `english` goes before or instead of the verb, `asked` before and after the subject of a question; `before` and
    `after` surround the Chinese verb. Marks: p progressive, t past, n negation, w will and other modals, q question.
    """

    form: str  # of the verb in statements: one of Verb's fields
    english: str
    before: str
    after: str = ""
    asked: str = ""
    asked_after: str = ""


TENSES = {
    "present": Tense("third", "{verb}", "", "", "does~q {subject} {verb}"),
    "past": Tense("past", "{verb}=t", "", "了=t", "did~tq {subject} {verb}~t", "了~t"),
    "progressive": Tense("ing", "is~p {verb}~p", "正在~p", "", "is~pq {subject} {verb}~p"),
    "wearing": Tense("ing", "is~p {verb}~p", "", "着~p", "is~pq {subject} {verb}~p", "着~p"),
    "future": Tense("base", "will=w {verb}", "会=w", "", "will=w~q {subject} {verb}"),
    "not": Tense("base", "doesn't=n {verb}", "不=n", "", "doesn't=n~q {subject} {verb}"),
    "did not": Tense("base", "didn't=n {verb}", "没=n", "", "didn't=n~q {subject} {verb}"),
    "must": Tense("base", "must=w {verb}", "必须=w", "", "must=w~q {subject} {verb}"),
    "want": Tense("base", "wants=w to~w {verb}", "想=w", "", "does~q {subject} want=w to~w {verb}"),
    "not want": Tense(
        "base", "doesn't=n want=w to~w {verb}", "不=n 想=w", "", "doesn't=n~q {subject} want=w to~w {verb}"
    ),
    "like": Tense("base", "likes=w to~w {verb}", "喜欢=w", "", "does~q {subject} like=w to~w {verb}"),
    # A skill is 会, what circumstances allow 能.
    "knows how": Tense("base", "can=w {verb}", "会=w", "", "can=w~q {subject} {verb}"),
    "is able": Tense("base", "can=w {verb}", "能=w", "", "can=w~q {subject} {verb}"),
    "knows not how": Tense("base", "can't=w {verb}", "不=w 会=w"),
    "is not able": Tense("base", "can't=w {verb}", "不=w 能=w"),
    # Before a noun or a moment that it describes, the past bears no 了.
    "past of": Tense("past", "{verb}", "", ""),
    "bare": Tense("base", "{verb}", "", ""),
}
TENSES_OF = {
    "activity": ("past", "progressive", "progressive", "future", "not", "did not", "must", "want"),
    "animal's activity": ("past", "progressive", "progressive", "future", "did not"),
    "state": ("present", "present", "not"),
    "result": ("past", "past", "did not", "future", "must", "want"),
    "animal's result": ("past", "past", "did not", "future"),
    "mishap": ("past", "past", "did not", "future"),
    "dress": ("wearing", "wearing", "not", "future", "want"),
}
NEGATIVE = ("not", "did not", "not want")

_FIRST_AND_PLURAL = {
    "does~q": "do~q",
    "doesn't=n": "don't=n",
    "doesn't=n~q": "don't=n~q",
    "wants=w": "want=w",
    "likes=w": "like=w",
}


def agree(pattern: str, agreement: Agreement) -> str:
    """An English pattern written for "he", as "I" or "they" would say it."""
    if agreement == "he":
        return pattern
    words = []
    for text in pattern.split():
        word, mark, marks = text.partition("~")
        words.append(
            ("am" if agreement == "I" else "are") + mark + marks if word == "is" else _FIRST_AND_PLURAL.get(text, text)
        )
    return " ".join(words)


def verb_phrase(verb: Verb, form: str, chinese: str, agreement: Agreement = "he") -> Phrase:
    english = verb.base if form == "third" and agreement != "he" else str(getattr(verb, form))
    return weave(f"{english}=v {verb.particle and verb.particle + '~v'}", f"{chinese}=v")


def clause(
    subject: Nominal,
    deed: Deed,
    tense: str,
    thing: Phrase = EMPTY,
    *,
    front: Phrase = EMPTY,
    time: Phrase = EMPTY,
    often: Phrase = EMPTY,
    company: Phrase = EMPTY,
    place: Phrase = EMPTY,
    last: Phrase = EMPTY,
    learner: bool = False,
) -> Phrase:
    """A statement without its full stop. `often` stands before the English verb, `last` after all else in English;
    in Chinese both follow the time. A `learner` forgets the s of the third person.
    """
    spec = TENSES[tense]
    agreement: Agreement = "they" if learner else subject.agreement
    verb = verb_phrase(deed.verb, spec.form, deed.chinese, agreement)
    before = spec.before
    if before == "正在~p" and place.target[:1] == ("在",):
        before = "正~p"  # 正在 and 在 in a row are said as one
    english = agree(spec.english, agreement)
    return weave(
        f"{{front}} {{subject}} {{often}} {english} {{thing}} {{company}} {{place}} {{time}} {{last}}",
        f"{{front}} {{subject}} {{time}} {{last}} {{often}} {before} {{company}} {{place}} "
        f"{{verb}} {spec.after} {{thing}}",
        front=front, subject=subject.phrase, time=time, often=often, verb=verb, thing=thing,
        company=company, place=place, last=last,
    )  # fmt: skip


def question(
    subject: Nominal,
    deed: Deed,
    tense: str,
    thing: Phrase = EMPTY,
    *,
    asked: Phrase = EMPTY,
    place_asked: Phrase = EMPTY,
    time_asked: Phrase = EMPTY,
    front: Phrase = EMPTY,
    time: Phrase = EMPTY,
    company: Phrase = EMPTY,
    place: Phrase = EMPTY,
) -> Phrase:
    """A question with its mark; yes or no, unless one of the `asked` is given, which English fronts: for the object
    (`asked`), the place or the time (and reason). Chinese leaves each in its place, and adds 吗 to yes or no.
    """
    spec = TENSES[tense]
    form = "ing" if spec.form == "ing" else "base"
    verb = verb_phrase(deed.verb, form, deed.chinese)
    before = spec.before
    if before == "正在~p" and place_asked != EMPTY:
        before = ""  # 在哪里 says it
    elif before == "正在~p" and time_asked != EMPTY:
        before = "在~p"
    elif before == "正在~p" and place.target[:1] == ("在",):
        before = "正~p"
    open_question = asked != EMPTY or place_asked != EMPTY or time_asked != EMPTY
    particle = "" if open_question else "吗~q"
    after = spec.asked_after or spec.after
    return weave(
        f"{{front}} {{asked}} {{place_asked}} {{time_asked}} {agree(spec.asked, subject.agreement)} "
        f"{{thing}} {{company}} {{place}} {{time}} ?=m~q",
        f"{{front}} {{subject}} {{time}} {{time_asked}} {before} {{company}} {{place}} {{place_asked}} "
        f"{{verb}} {after} {{thing}} {{asked}} {particle} ？=m",
        front=front, asked=asked, place_asked=place_asked, time_asked=time_asked, subject=subject.phrase, verb=verb,
        thing=thing, company=company, place=place, time=time,
    )  # fmt: skip


def thing_of(
    draw: Draw, deed: Deed, tense: str, doer: Nominal = NOBODY, determiners: Sequence[Determiner] = ()
) -> Nominal:
    """Something to do the deed to that fits the tense: what is denied or liked is never "a" thing."""
    while True:
        thing = _any_thing(draw, deed, tense, determiners)
        if not thing.about & doer.about:
            return thing


def _any_thing(draw: Draw, deed: Deed, tense: str, determiners: Sequence[Determiner]) -> Nominal:
    if deed.objects == "none":
        return NOBODY
    if deed.objects == "fixed":
        return bare(draw.pick(deed.things))
    if deed.objects == "people" or (deed.objects == "beings" and not deed.things):
        return somebody(draw, "object", names=0.5)
    if deed.objects == "beings" and all(noun.classifier in ("只", "匹") for noun in deed.things):
        return being(draw, deed.things)
    if deed.objects == "beings" and draw.chance(0.5):
        return somebody(draw, "object", names=0.5)
    noun = draw.pick(deed.things)
    if not determiners:
        definite = deed.kind == "state" or tense in NEGATIVE or tense == "must"
        determiners = DEFINITE if definite else (*DEFINITE, *INDEFINITE, "a", "a")
    determiner = draw.pick([each for each in determiners if noun.plural or each not in ("two", "three", "generic")])
    return of_noun(draw, noun, determiner, adjectives=0.25)


def kept(deeds: Sequence[Deed] = lexicon.DEEDS, **wanted: object) -> tuple[Deed, ...]:
    """The deeds whose fields have the wanted values; True wants any that isn't empty."""
    return tuple(
        deed
        for deed in deeds
        if all(
            bool(getattr(deed, name)) if value is True else getattr(deed, name) == value
            for name, value in wanted.items()
        )
    )


def place_of(draw: Draw, deed: Deed) -> Phrase:
    return weave(*lexicon.PLACES[draw.pick(deed.places)])


def one_of(draw: Draw, patterns: Sequence[tuple[str, str]]) -> Phrase:
    return weave(*draw.pick(patterns))


def noun_phrase(
    draw: Draw, noun: Noun, determiners: Sequence[Determiner] = DEFINITE, adjectives: float = 0.2
) -> Nominal:
    allowed = [each for each in determiners if noun.plural or each not in ("two", "three", "generic")]
    return of_noun(draw, noun, draw.pick(allowed), adjectives)
