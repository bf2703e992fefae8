"""Constructions kept out of training: each puts together phenomena that training shows apart."""

from __future__ import annotations

from collections.abc import Callable

from regard.data.pocket import lexicon
from regard.data.pocket.clauses import agree, clause, kept, one_of, question, thing_of
from regard.data.pocket.draw import Draw
from regard.data.pocket.lexicon import DEEDS
from regard.data.pocket.nominals import DEFINITE, NOBODY, Nominal, person
from regard.data.pocket.phrase import Phrase, weave
from regard.data.pocket.questions import WHO, WHY, asked_about
from regard.data.pocket.sentences import (
    alike,
    deed_to_thing,
    doer_to,
    passive_of,
    patient,
    short_clause,
    with_doer_described,
    with_thing_described,
)
from regard.data.pocket.statements import (
    ACTIVE,
    HELP,
    HUMAN,
    PASSIVE,
    SOCIAL,
    asked,
    compared,
    statement,
    with_somebody,
)


def timed_passive(draw: Draw) -> Phrase:
    """Jerry was caught by Tom yesterday: 杰瑞昨天被汤姆抓住了."""
    deed = draw.pick(PASSIVE)
    sufferer = patient(draw, deed)
    agent = doer_to(draw, deed, sufferer)
    return statement(passive_of(sufferer, deed, agent, "past", one_of(draw, lexicon.PAST_TIMES)))


def who_was(draw: Draw) -> Phrase:
    """Who was caught by Tom: 谁被汤姆抓住了."""
    deed = draw.pick(kept(PASSIVE, objects="beings"))
    return asked(passive_of(Nominal(WHO), deed, doer_to(draw, deed, NOBODY), "past"))


def said_passive(draw: Draw) -> Phrase:
    """Mary says that Jerry was caught by Tom."""
    doer = person(draw, "subject", names=0.6)
    deed = draw.pick(PASSIVE)
    sufferer = patient(draw, deed)
    said = passive_of(sufferer, deed, doer_to(draw, deed, sufferer))
    verb = "says" if doer.agreement == "he" else "say"
    return statement(weave(f"{{doer}} {verb}=v that~v {{said}}", "{doer} 说=v {said}", doer=doer.phrase, said=said))


def wish_with_somebody(draw: Draw) -> Phrase:
    """Tom wants to sing with Mary: 汤姆想和玛丽一起唱歌."""
    doer, deed = person(draw, "subject"), draw.pick(SOCIAL)
    friend = thing_of(draw, HELP, "want", doer)
    thing = thing_of(draw, deed, "not", doer).phrase
    tense = draw.pick(("not want", "like"))
    return statement(clause(doer, deed, tense, thing, company=with_somebody(friend)))


def why_not(draw: Draw) -> Phrase:
    """Why doesn't Tom sing: 汤姆为什么不唱歌."""
    deed = draw.pick([deed for deed in (*ACTIVE, *kept(kind="state")) if deed.who == "person"])
    doer = asked_about(draw, deed)
    return question(doer, deed, "not", thing_of(draw, deed, "not", doer, DEFINITE).phrase, time_asked=WHY)


def asked_comparison(draw: Draw) -> Phrase:
    """Is Tom taller than Jerry: 汤姆比杰瑞高吗."""
    one, other, english, chinese = compared(draw)
    pattern = agree(f"is~q {{one}} {english}=a than=b {{other}} ?=m~q", one.agreement)
    return weave(pattern, f"{{one}} 比=b {{other}} {chinese}=a 吗~q ？=m", one=one.phrase, other=other.phrase)


def asked_described_object(draw: Draw) -> Phrase:
    """Does Tom like the book that Mary bought: 汤姆喜欢玛丽买的书吗."""
    deed = next(deed for deed in DEEDS if deed.chinese == "喜欢")
    doer = asked_about(draw, deed)
    if draw.chance(0.5):
        thing = with_doer_described(draw, draw.pick((*lexicon.PEOPLE, lexicon.CAT, lexicon.DOG)))
    else:
        thing = with_thing_described(draw, *deed_to_thing(draw))
    if doer.about & thing.about:
        return asked_described_object(draw)
    return question(doer, deed, "present", thing.phrase)


def wish_asked_of_who(draw: Draw) -> Phrase:
    """Who likes to play football in the park: 谁喜欢在公园里踢足球."""
    deed = draw.pick([deed for deed in HUMAN if deed.places and deed.kind == "activity"])
    place = weave(*lexicon.PLACES[draw.pick(deed.places)])
    return asked(clause(Nominal(WHO), deed, "like", thing_of(draw, deed, "not").phrase, place=place))


def moment_of_question(draw: Draw) -> Phrase:
    """Does Tom sing when Mary dances: 玛丽跳舞的时候，汤姆唱歌吗."""
    deed = draw.pick([deed for deed in ACTIVE if deed.who == "person"])
    doer = asked_about(draw, deed)
    thing = thing_of(draw, deed, "present", doer, DEFINITE).phrase
    asked_of = question(doer, deed, "present", thing)
    first = short_clause(draw, "present")
    if alike(asked_of, first):
        return moment_of_question(draw)
    bare_question = Phrase(
        asked_of.source[:-1], asked_of.target[:-1], *map(_without_end(asked_of), (asked_of.sure, asked_of.possible))
    )
    return weave("{asked} when=w {first} ?=m", "{first} 的=w 时候=w ，~w {asked} ？=m",
                 asked=bare_question, first=first)  # fmt: skip


def _without_end(phrase: Phrase) -> Callable[[frozenset[tuple[int, int]]], frozenset[tuple[int, int]]]:
    i, j = len(phrase.source) - 1, len(phrase.target) - 1
    return lambda links: frozenset(link for link in links if link[0] != i and link[1] != j)


CONSTRUCTIONS: dict[str, Callable[[Draw], Phrase]] = {
    "passive, time": timed_passive,
    "passive, who": who_was,
    "passive, opinion": said_passive,
    "wish, with somebody": wish_with_somebody,
    "why, negation": why_not,
    "comparison, question": asked_comparison,
    "described object, question": asked_described_object,
    "who, wish, place": wish_asked_of_who,
    "moment, question": moment_of_question,
}
