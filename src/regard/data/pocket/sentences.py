"""Passives, relative clauses, infinitives and sentences of several clauses of the English-Chinese pocket corpus."""

from __future__ import annotations

from typing import Literal

from regard.data.pocket import lexicon
from regard.data.pocket.clauses import agree, clause, kept, noun_phrase, thing_of
from regard.data.pocket.draw import Draw
from regard.data.pocket.lexicon import DEEDS, Deed, Noun
from regard.data.pocket.nominals import (
    NOBODY,
    Nominal,
    animal,
    bare,
    of_name,
    of_pronoun,
    person,
    subject,
)
from regard.data.pocket.phrase import EMPTY, Phrase, weave
from regard.data.pocket.statements import (
    HELP,
    HUMAN,
    HUMAN_ACTIVE,
    INTRANSITIVE,
    PASSIVE,
    PRESENT,
    RELATIVE,
    statement,
    tense_of,
)

# Passives and relative clauses ----------------------------------------------------------------------------------------


def patient(draw: Draw, deed: Deed) -> Nominal:
    if deed.objects == "fixed":
        return bare(draw.pick(deed.things))
    if deed.objects == "beings" and draw.chance(0.5):
        return (
            of_name(draw.pick(lexicon.NAMES))
            if draw.chance(0.8)
            else of_pronoun(draw.pick(lexicon.PRONOUNS[:3]), "subject")
        )
    return noun_phrase(draw, draw.pick(deed.things))


# What English puts before the participle, and Chinese before the agent and after the verb.
PASSIVES = {
    "past": ("was~bt", "被~b", "了=v~t"),
    "not": ("wasn't=n~b", "没=n 被~b", ""),
    "future": ("will=w be~b", "会=w 被~b", ""),
}


def passive_of(patient: Nominal, deed: Deed, agent: Nominal, kind: str = "past", time: Phrase = EMPTY) -> Phrase:
    """was caught by Tom: 被汤姆抓住了, without a full stop; without by where nobody is named."""
    auxiliary, before, after = PASSIVES[kind]
    by = "" if agent is NOBODY else "by~b"
    return weave(
        f"{{patient}} {auxiliary} {deed.verb.participle}=v {by} {{agent}} {{time}}",
        f"{{patient}} {{time}} {before} {{agent}} {deed.chinese}=v {after}",
        patient=patient.phrase, agent=agent.phrase, time=time,
    )  # fmt: skip


def doer_to(draw: Draw, deed: Deed, patient: Nominal) -> Nominal:
    """Somebody else than the patient, as an object ("by him")."""
    while True:
        doer = animal(draw) if deed.who == "animate" and draw.chance(0.4) else person(draw, "object", names=0.6)
        if not doer.about & patient.about:
            return doer


def passive(draw: Draw) -> Phrase:
    deed = draw.pick(PASSIVE)
    sufferer = patient(draw, deed)
    agent = NOBODY if draw.chance(0.2) else doer_to(draw, deed, sufferer)
    return statement(passive_of(sufferer, deed, agent, draw.pick(("past", "past", "past", "not", "future"))))


def asked_passive(draw: Draw) -> Phrase:
    deed = draw.pick(PASSIVE)
    sufferer = patient(draw, deed)
    agent = NOBODY if draw.chance(0.2) else doer_to(draw, deed, sufferer)
    return weave(
        f"was~qbt {{sufferer}} {deed.verb.participle}=v {'' if agent is NOBODY else 'by~b'} {{agent}} ?=m~q",
        f"{{sufferer}} 被~b {{agent}} {deed.chinese}=v 了=v~t 吗~q ？=m",
        sufferer=sufferer.phrase, agent=agent.phrase,
    )  # fmt: skip


def with_doer_described(draw: Draw, head: Noun) -> Nominal:
    """The girl who is reading: 正在读书的女孩."""
    human = head in lexicon.PEOPLE
    pool = HUMAN_ACTIVE if human else [deed for deed in kept(who="animate") if deed.chinese != "看见"]
    deed = draw.pick(pool)
    # 跑步了的老师 is no Chinese, and "read" doesn't tell its past
    only_now = deed.objects == "none" or deed.verb.base == "read"
    tense = "progressive" if only_now or (deed.kind == "activity" and draw.chance(0.5)) else "past"
    thing = thing_of(draw, deed, tense, Nominal(EMPTY, "he", frozenset({head.chinese})))
    said = clause(NOBODY, deed, tense, thing.phrase)
    phrase = weave(
        f"the~h {head.english}=h {'who' if human else 'that'}=r {{said}}", f"{{said}} 的=r {head.chinese}=h", said=said
    )
    return Nominal(phrase, "he", thing.about | {head.chinese})


def with_thing_described(draw: Draw, deed: Deed, head: Noun, tense: str) -> Nominal:
    """The book that Tom bought: 汤姆买的书."""
    doer = person(draw, "subject", names=0.7)
    said = clause(doer, deed, tense)
    phrase = weave(f"the~h {head.english}=h that=r {{said}}", f"{{said}} 的=r {head.chinese}=h", said=said)
    return Nominal(phrase, "he", doer.about | {head.chinese})


def deed_to_thing(draw: Draw) -> tuple[Deed, Noun, str]:
    deed = draw.pick(kept(RELATIVE, objects="things", who="person"))
    noun = draw.pick([noun for noun in deed.things if noun is not lexicon.CLUB])
    past = deed.kind == "result" or draw.chance(0.5)
    return (
        deed,
        noun,
        "past of" if past and deed.verb.base != "read" else ("progressive" if deed.kind == "activity" else "past of"),
    )


def described_subject(draw: Draw) -> Phrase:
    """A relative clause within the subject."""
    if draw.chance(0.5):
        head = draw.pick((*lexicon.PEOPLE, lexicon.CAT, lexicon.DOG))
        one = with_doer_described(draw, head)
        return statement(predicate(draw, one, head))
    deed, noun, tense = deed_to_thing(draw)
    return statement(predicate(draw, with_thing_described(draw, deed, noun, tense), noun))


def predicate(draw: Draw, one: Nominal, head: Noun) -> Phrase:
    """Something short to say of what a relative clause describes."""
    if head in lexicon.PEOPLE and draw.chance(0.4):
        owner = draw.pick((("my", "我"), ("his", "他"), ("her", "她")))
        return weave(f"{{one}} is=b {owner[0]}=o friend=f", f"{{one}} 是=b {owner[1]}=o 的=o 朋友=f", one=one.phrase)
    if head in (*lexicon.PEOPLE, lexicon.CAT, lexicon.DOG):
        english, chinese = draw.pick((("tired", "累"), ("happy", "高兴"), ("hungry", "饿")))
    else:
        english, chinese = (
            draw.pick((("big", "大"), ("small", "小"))) if head.plural or head.adjectives else ("short", "短")
        )
        if head in (lexicon.LETTER, lexicon.PHOTO):
            spot = weave(*lexicon.SPOTS["table"])
            return weave("{one} is=i {spot}", "{one} 在=i {spot}", one=one.phrase, spot=spot)
    very = draw.chance(0.3)
    return weave(
        f"{{one}} {'is very=d' if very else 'is~e'} {english}=a",
        f"{{one}} {'非常=d' if very else '很~ea'} {chinese}=a",
        one=one.phrase,
    )


def described_object(draw: Draw) -> Phrase:
    """A relative clause within the object."""
    doer = person(draw, "subject")
    if draw.chance(0.5):
        head = draw.pick((*lexicon.PEOPLE, lexicon.CAT, lexicon.DOG))
        deed = draw.pick(
            [deed for deed in DEEDS if deed.chinese in ("喜欢", "看见", "认识")][: 3 if head in lexicon.PEOPLE else 2]
        )
        thing = with_doer_described(draw, head)
    else:
        given, head, tense = deed_to_thing(draw)
        deed = draw.pick([deed for deed in DEEDS if deed.chinese in ("喜欢", "找到", "看见")])
        thing = with_thing_described(draw, given, head, tense)
    if thing.about & doer.about:
        return described_object(draw)
    tense = "present" if deed.kind == "state" else "past"
    return statement(clause(doer, deed, tense, thing.phrase))


# Infinitives and sentences of several clauses -------------------------------------------------------------------------


def wish(draw: Draw) -> Phrase:
    """wants to buy: 想买; likes to read: 喜欢读; doesn't want to."""
    tense = draw.pick(("want", "not want", "like"))
    deed = draw.pick(HUMAN_ACTIVE if tense == "like" else HUMAN)
    doer = subject(draw, "person")
    thing = thing_of(draw, deed, tense if tense != "like" else "not", doer)
    return statement(clause(doer, deed, tense, thing.phrase))


def causing(draw: Draw) -> Phrase:
    """wants Jerry to sing: 想让杰瑞唱歌; asked Jerry to sing: 让杰瑞唱歌."""
    deed = draw.pick([deed for deed in HUMAN if deed.verb.base not in ("see", "miss", "catch")])
    doer = person(draw, "subject")
    other = thing_of(draw, HELP, "past", doer)
    thing = thing_of(draw, deed, "must", Nominal(EMPTY, "he", doer.about | other.about))
    if draw.chance(0.5):
        source, target = agree("{doer} wants=w {other} to~w {deed}", doer.agreement), "{doer} 想=w 让~w {other} {deed}"
    else:
        source, target = "{doer} asked=a {other} to~a {deed}", "{doer} 让=a {other} {deed}"
    said = clause(NOBODY, deed, "bare", thing.phrase)
    return statement(weave(source, target, doer=doer.phrase, other=other.phrase, deed=said))


def hard_or_easy(draw: Draw) -> Phrase:
    """It is hard to play the piano: 弹钢琴很难."""
    deed = draw.pick([deed for deed in HUMAN if deed.verb.base not in ("miss", "see")])
    english, chinese = draw.pick((("hard", "难"), ("easy", "容易")))
    is_, very = draw.pick((("is~e", "很~eh"), ("is very=d", "非常=d"), ("isn't=n", "不=n")))
    said = clause(NOBODY, deed, "bare", thing_of(draw, deed, "must").phrase)
    return statement(weave(f"it {is_} {english}=h to {{deed}}", f"{{deed}} {very} {chinese}=h", deed=said))


def short_clause(draw: Draw, tense: Literal["present", "past", "past of"]) -> Phrase:
    """Somebody does something simple."""
    pool = [deed for deed in (*INTRANSITIVE, *HUMAN_ACTIVE) if tense == "present" or deed.verb.base != "read"]
    if tense != "present":
        pool += kept(kind="result")
    deed = draw.pick(pool)
    doer = of_name(draw.pick(lexicon.NAMES)) if deed.who != "flier" and draw.chance(0.6) else subject(draw, deed.who)
    return clause(doer, deed, tense, thing_of(draw, deed, "must", doer).phrase)


def alike(one: Phrase, other: Phrase) -> bool:
    """Whether they share more than small words: then nobody would say them in a breath."""
    return any(len(shared) > 1 or shared in "哭飞" for shared in set(one.target) & set(other.target))


def moment(draw: Draw) -> Phrase:
    """When Tom sings, Mary dances, in either order: 汤姆唱歌的时候，玛丽跳舞; before and after alike."""
    english, chinese = draw.pick(
        (("when=w", "的=w 时候=w"), ("when=w", "的=w 时候=w"), ("before=w", "以前=w"), ("after=w", "以后=w"))
    )
    past = "when" not in english or draw.chance(0.5)
    first = short_clause(draw, "past of" if past else "present")
    then = short_clause(draw, "past" if past else "present")
    if alike(first, then):
        return moment(draw)
    if draw.chance(0.5):
        whole = weave(f"{english} {{first}} ,=k {{then}}", f"{{first}} {chinese} ，=k {{then}}", first=first, then=then)
    else:
        whole = weave(f"{{then}} {english} {{first}}", f"{{first}} {chinese} ，~w {{then}}", first=first, then=then)
    return statement(whole)


def contrast(draw: Draw) -> Phrase:
    deeds = draw.pick((PRESENT, kept(kind="state")))
    clauses = []
    for tense in draw.shuffled(("present", "not")):
        deed = draw.pick(deeds)
        doer = subject(draw, deed.who)
        clauses.append(clause(doer, deed, tense, thing_of(draw, deed, "not", doer).phrase))
    return statement(weave("{one} ,=k but=b {other}", "{one} ，=k 但是=b {other}", one=clauses[0], other=clauses[1]))


def opinion(draw: Draw) -> Phrase:
    """says, thinks or knows that."""
    doer = person(draw, "subject", names=0.3)
    english, base, chinese = draw.pick((("says", "say", "说"), ("thinks", "think", "觉得"), ("knows", "know", "知道")))
    deed = draw.pick(DEEDS)
    tense = tense_of(draw, deed)
    other = subject(draw, deed.who)
    said = clause(other, deed, tense, thing_of(draw, deed, tense, other).phrase)
    verb = english if doer.agreement == "he" else base
    return statement(
        weave(f"{{doer}} {verb}=v that~v {{said}}", f"{{doer}} {chinese}=v {{said}}", doer=doer.phrase, said=said)
    )
