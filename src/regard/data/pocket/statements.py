"""Statements of one clause in the English-Chinese pocket corpus, each construction a function of a draw."""

from __future__ import annotations

from regard.data.pocket import lexicon
from regard.data.pocket.clauses import (
    TENSES_OF,
    agree,
    clause,
    kept,
    noun_phrase,
    one_of,
    place_of,
    thing_of,
)
from regard.data.pocket.draw import Draw
from regard.data.pocket.lexicon import DEEDS, Deed, Noun
from regard.data.pocket.nominals import (
    DEFINITE,
    NOBODY,
    Nominal,
    of_name,
    of_noun,
    of_pronoun,
    person,
    possessor,
    subject,
    word,
)
from regard.data.pocket.phrase import EMPTY, Phrase, weave

INTRANSITIVE = kept(objects="none")
PLACED, SOCIAL, PASSIVE = kept(places=True), kept(social=True), kept(passive=True)
ACTIVE = tuple(deed for deed in DEEDS if deed.kind == "activity")
HUMAN = tuple(deed for deed in DEEDS if deed.who == "person" and deed.kind in ("activity", "result"))
HUMAN_ACTIVE = tuple(deed for deed in HUMAN if deed.kind == "activity")
RELATIVE = tuple(
    deed for deed in DEEDS if deed.objects in ("people", "things", "beings") and deed.kind in ("activity", "result")
)
# What one does every day; nobody looks for a cat every day.
HABITS = tuple(
    deed for deed in ACTIVE if deed.objects != "things" or deed.verb.base in ("read", "write", "eat", "buy", "take")
)
CHASE, HELP, LIKE, KNOW = DEEDS[0], DEEDS[1], DEEDS[5], DEEDS[6]

ALWAYS_PRESENT = (
    "chase",
    "help",
    "like",
    "eat",
    "wash",
    "visit",
    "play",
    "wear",
    "drink",
    "know",
    "miss",
    "sing",
    "sleep",
)
PRESENT = tuple(deed for deed in DEEDS if deed.verb.base in ALWAYS_PRESENT and deed.kind not in ("result", "mishap"))


def tense_of(draw: Draw, deed: Deed) -> str:
    tense = draw.pick(TENSES_OF[deed.kind if deed.who == "person" else f"animal's {deed.kind}"])
    # "read" and "put" look alike in the present and the past of "they"
    return "future" if tense == "past" and deed.verb.base == "read" else tense


def doing(draw: Draw, deed: Deed) -> Nominal:
    """A doer for the deed; nobody shares clothes."""
    doer = subject(draw, deed.who)
    return of_name(draw.pick(lexicon.NAMES)) if deed.kind == "dress" and doer.agreement == "they" else doer


def statement(phrase: Phrase) -> Phrase:
    return weave("{said} .=m", "{said} 。=m", said=phrase)


def asked(phrase: Phrase) -> Phrase:
    return weave("{said} ?=m", "{said} ？=m", said=phrase)


def time_of(draw: Draw, tense: str) -> Phrase:
    if tense in ("past", "did not"):
        return one_of(draw, lexicon.PAST_TIMES)
    if tense in ("future", "want", "must"):
        return one_of(draw, lexicon.FUTURE_TIMES)
    if tense in ("progressive", "wearing"):
        return weave(*lexicon.NOW)
    return one_of(draw, lexicon.HABITUAL_TIMES)


# Plain statements -----------------------------------------------------------------------------------------------------


def simple_present(draw: Draw) -> Phrase:
    """A third of them as a learner says them, without the s of the third person."""
    deed = draw.pick((CHASE, CHASE, HELP, HELP, LIKE, KNOW, *PRESENT))
    doer = of_name(draw.pick(lexicon.NAMES)) if draw.chance(0.4) else doing(draw, deed)
    thing = thing_of(draw, deed, "present", doer, (*DEFINITE, *(("generic",) * 4 if deed is LIKE else ())))
    return statement(clause(doer, deed, "present", thing.phrase, learner=draw.chance(0.35)))


def plain(draw: Draw) -> Phrase:
    deed = draw.pick((*DEEDS, *INTRANSITIVE, *INTRANSITIVE, CHASE, HELP))
    tense = tense_of(draw, deed)
    doer = doing(draw, deed)
    return statement(clause(doer, deed, tense, thing_of(draw, deed, tense, doer).phrase))


def timed(draw: Draw) -> Phrase:
    deed = draw.pick(tuple(deed for deed in DEEDS if deed.kind != "state"))
    tense = tense_of(draw, deed)
    if deed.kind == "activity" and (tense == "not" or draw.chance(0.35)):
        tense = "present"
    if tense == "present" and deed not in HABITS:
        tense = "past"
    tense = "wearing" if tense == "not" else tense  # 每天不穿 is no Chinese
    doer = doing(draw, deed)
    thing = thing_of(draw, deed, tense, doer, ("a",) if tense == "present" else ()).phrase
    when = time_of(draw, tense)
    where = place_of(draw, deed) if deed.places and draw.chance(0.35) else EMPTY
    if draw.chance(0.45):
        return statement(clause(doer, deed, tense, thing, front=when, place=where))
    return statement(clause(doer, deed, tense, thing, time=when, place=where))


def placed(draw: Draw) -> Phrase:
    deed = draw.pick(PLACED)
    tense = tense_of(draw, deed)
    doer = subject(draw, deed.who)
    return statement(clause(doer, deed, tense, thing_of(draw, deed, tense, doer).phrase, place=place_of(draw, deed)))


def frequent(draw: Draw) -> Phrase:
    often = draw.pick(lexicon.FREQUENCIES)
    never = often == lexicon.NEVER
    deed = draw.pick([deed for deed in HABITS if deed.chinese != "哭" and not (never and deed.objects == "things")])
    doer = subject(draw, deed.who)
    thing = thing_of(draw, deed, "present", doer, ("a",))
    where = place_of(draw, deed) if deed.places and draw.chance(0.3) else EMPTY
    return statement(clause(doer, deed, "present", thing.phrase, often=weave(*often), place=where))


def too_or_again(draw: Draw) -> Phrase:
    """too is 也; again is 又 of what was, 再 of what will be."""
    deed = draw.pick(tuple(deed for deed in HUMAN if deed.verb.base != "read"))
    tense = draw.pick(("past", "future"))
    doer = subject(draw, deed.who)
    thing = thing_of(draw, deed, tense, doer).phrase
    if draw.chance(0.5):
        return statement(clause(doer, deed, tense, thing, last=word("too", "也")))
    return statement(clause(doer, deed, tense, thing, company=word("again", "又" if tense == "past" else "再")))


def social(draw: Draw) -> Phrase:
    """with somebody is 和 ... 一起."""
    deed = draw.pick(SOCIAL)
    tense = tense_of(draw, deed)
    doer = subject(draw, deed.who)
    friend = thing_of(draw, HELP, tense, doer)
    thing = thing_of(draw, deed, tense, doer)
    return statement(clause(doer, deed, tense, thing.phrase, company=with_somebody(friend)))


def with_somebody(friend: Nominal) -> Phrase:
    return weave("with=w {friend}", "和=w {friend} 一起=w", friend=friend.phrase)


def instrumental(draw: Draw) -> Phrase:
    """with something is 用."""
    deed, tool = draw.pick(lexicon.TOOLS)
    tense = tense_of(draw, deed)
    doer = subject(draw, "person")
    return statement(clause(doer, deed, tense, thing_of(draw, deed, tense, doer).phrase, company=weave(*tool)))


def skill(draw: Draw) -> Phrase:
    """sings well: 唱得很好, or not."""
    third, base, how, chinese, well = draw.pick(lexicon.SKILLS)
    doer = person(draw, "subject")
    verb = third if doer.agreement == "he" else base
    manner = draw.pick((
        (f"{verb}=v very=d {how}=h", f"{chinese}=v 得~h 非常=d {well}=h"),
        (f"{verb}=v {how}=h", f"{chinese}=v 得~h 很~h {well}=h"),
        (f"doesn't=n {base}=v {how}=h", f"{chinese}=v 得~h 不=n {well}=h"),
    ))  # fmt: skip
    return statement(weave(f"{{doer}} {agree(manner[0], doer.agreement)}", f"{{doer}} {manner[1]}", doer=doer.phrase))


def giving(draw: Draw) -> Phrase:
    """gives Mary a book, or gives a book to Mary: 给玛丽一本书."""
    doer = person(draw, "subject")
    other = thing_of(draw, HELP, "past", doer)
    noun = draw.pick(
        (lexicon.BOOK, lexicon.APPLE, lexicon.LETTER, lexicon.HAT, lexicon.PHOTO, lexicon.UMBRELLA, lexicon.CLUB)
    )
    thing = noun_phrase(draw, noun, ("a", "a", "two", "this", "that"))
    gives = "gives=g" if doer.agreement == "he" else "give=g"
    verb, will, after = draw.pick((("gave=g", "", "了=g"), ("will=w give=g", "会=w", ""), (gives, "", "")))
    order = draw.pick(("{other} {thing}", "{thing} to~g {other}"))
    return statement(
        weave(f"{{doer}} {verb} {order}", f"{{doer}} {will} 给=g {after} {{other}} {{thing}}",
              doer=doer.phrase, other=other.phrase, thing=thing.phrase)
    )  # fmt: skip


def putting(draw: Draw) -> Phrase:
    """put the book on the table: 把书放在桌子上了."""
    doer = person(draw, "subject")
    noun = draw.pick((lexicon.BOOK, lexicon.LETTER, lexicon.HAT, lexicon.CAKE, lexicon.UMBRELLA))
    spot = draw.pick(("table", "chair", "under the table", "under the chair", "kitchen"))
    ahead, after, before = draw.pick((("", "了=p", ""), ("will=w", "", "会=w"), ("must=w", "", "必须=w")))
    return statement(
        weave(f"{{doer}} {ahead} put=p {{thing}} {{spot}}~s",
              f"{{doer}} {before} 把~p {{thing}} 放=p 在~ps {{spot}} {after}",
              doer=doer.phrase, thing=noun_phrase(draw, noun).phrase, spot=weave(*lexicon.SPOTS[spot]))
    )  # fmt: skip


def going(draw: Draw) -> Phrase:
    """goes to school by bus: 坐公共汽车去学校; goes to the park to swim: 去公园游泳."""
    doer = person(draw, "subject")
    place = draw.pick(
        (
            ("school=s", "学校=s"),
            ("the~s park=s", "公园=s"),
            ("the~s museum=s", "博物馆=s"),
            ("the~s library=s", "图书馆=s"),
        )
    )
    goes = "goes=g" if doer.agreement == "he" else "go=g"
    verb, will = draw.pick(
        ((goes, ""), (goes, ""), ("will=w go=g", "会=w"), (agree("wants=w to~w go=g", doer.agreement), "想=w"))
    )
    way, purpose = EMPTY, EMPTY
    if draw.chance(0.5):
        way = one_of(
            draw, (("by=b bus=c", "坐=b 公共汽车=c"), ("by=b bike=c", "骑=b 自行车=c"), ("on~f foot=f", "走路=f"))
        )
    elif "park" in place[0] or "library" in place[0]:
        deed = draw.pick(kept(SOCIAL, objects="none") if "park" in place[0] else kept(HUMAN_ACTIVE, chinese="读"))
        purpose = weave("to~d {deed}", "{deed}", deed=clause(NOBODY, deed, "bare", thing_of(draw, deed, "bare").phrase))
    return statement(
        weave(f"{{doer}} {verb} to~g {place[0]} {{way}} {{purpose}}",
              f"{{doer}} {will} {{way}} 去=g {place[1]} {{purpose}}",
              doer=doer.phrase, way=way, purpose=purpose)
    )  # fmt: skip


# Being and having -----------------------------------------------------------------------------------------------------


def quality(draw: Draw) -> Phrase:
    """is happy: 很高兴; old is 老 or 旧, short 矮 or 短."""
    being, chinese = described(draw)
    english, said = chinese
    is_, mark = draw.pick(
        (("is~e", "很~ea"), ("is very=d", "非常=d"), ("isn't=n", "不=n"))[: 3 if being.agreement == "he" else 2]
    )
    return statement(
        weave(f"{{being}} {agree(is_, being.agreement)} {english}=a", f"{{being}} {mark} {said}=a", being=being.phrase)
    )


def described(draw: Draw) -> tuple[Nominal, tuple[str, str]]:
    """Something and what may be said of it."""
    if draw.chance(0.55):
        people = (("happy", "高兴"), ("tired", "累"), ("hungry", "饿"), ("tall", "高"), ("short", "矮"))
        return person(draw, "subject"), draw.pick(people)
    if draw.chance(0.4):
        return noun_phrase(draw, draw.pick((lexicon.LETTER, lexicon.COAT)), DEFINITE, 0.0), ("short", "短")
    size = (("big", "大"), ("small", "小"))
    if draw.chance(0.5):
        return noun_phrase(draw, draw.pick(lexicon.ANIMALS), DEFINITE, 0.0), draw.pick((("old", "老"), *size))
    thing = draw.pick((lexicon.BOOK, lexicon.HAT, lexicon.CAR, lexicon.COAT, lexicon.UMBRELLA))
    return noun_phrase(draw, thing, DEFINITE, 0.0), draw.pick((("old", "旧"), ("new", "新"), *size))


def compared(draw: Draw) -> tuple[Nominal, Nominal, str, str]:
    if draw.chance(0.6):
        one = person(draw, "subject")
        return one, thing_of(draw, HELP, "past", one), *draw.pick((("taller", "高"), ("shorter", "矮")))
    first, second = draw.shuffled((lexicon.CAT, lexicon.DOG, lexicon.HORSE, lexicon.MOUSE, lexicon.BIRD))[:2]
    return (
        noun_phrase(draw, first, DEFINITE, 0.0),
        noun_phrase(draw, second, DEFINITE, 0.0),
        *draw.pick((("bigger", "大"), ("smaller", "小"))),
    )


def comparison(draw: Draw) -> Phrase:
    """is taller than Jerry: 比杰瑞高."""
    one, other, english, chinese = compared(draw)
    pattern = agree(f"{{one}} is~p {english}=a than=b {{other}}", one.agreement)
    return statement(weave(pattern, f"{{one}} 比=b {{other}} {chinese}=a", one=one.phrase, other=other.phrase))


def identity(draw: Draw) -> Phrase:
    """is my teacher: 是我的老师; is a teacher: 是一位老师, but isn't: 不是老师."""
    role = draw.pick((*lexicon.PEOPLE[2:], lexicon.FRIEND))
    doer = (
        of_name(draw.pick(lexicon.NAMES))
        if draw.chance(0.7)
        else of_pronoun(draw.pick(lexicon.PRONOUNS[1:3]), "subject")
    )
    if draw.chance(0.3):
        negated = draw.pick(lexicon.PEOPLE[2:])
        return statement(weave("{doer} isn't=n a~r {role}=r", "{doer} 不=n 是~n {role}=r",
                               doer=doer.phrase, role=word(negated.english, negated.chinese)))  # fmt: skip
    what = of_noun(draw, role, "possessive" if role is lexicon.FRIEND or draw.chance(0.5) else "a", 0.0)
    return statement(weave("{doer} is=b {what}", "{doer} 是=b {what}", doer=doer.phrase, what=what.phrase))


def owned(draw: Draw) -> Phrase:
    """This is my book: 这是我的书."""
    noun = draw.pick(
        (
            lexicon.BOOK,
            lexicon.HAT,
            lexicon.CAR,
            lexicon.UMBRELLA,
            lexicon.COAT,
            lexicon.DOG,
            lexicon.CAT,
            lexicon.HORSE,
        )
    )
    start, said = draw.pick((("this=t", "这=t"), ("that=t", "那=t")))
    is_, chinese = draw.pick((("is=b", "是=b"), ("is=b", "是=b"), ("isn't=n", "不=n 是~n")))
    what = weave("{owner} {thing}", "{owner} {thing}", owner=possessor(draw), thing=word(noun.english, noun.chinese))
    return statement(weave(f"{start} {is_} {{what}}", f"{said} {chinese} {{what}}", what=what))


def having(draw: Draw) -> Phrase:
    """has a dog: 有一只狗, but doesn't have a dog: 没有狗."""
    doer = person(draw, "subject")
    noun = draw.pick(
        (
            lexicon.CLUB,
            lexicon.CLUB,
            lexicon.CAT,
            lexicon.DOG,
            lexicon.HORSE,
            lexicon.BIRD,
            lexicon.BOOK,
            lexicon.CAR,
            lexicon.HAT,
            lexicon.PHOTO,
        )
    )
    if draw.chance(0.3):
        verb = "doesn't=n" if doer.agreement == "he" else "don't=n"
        return statement(weave(f"{{doer}} {verb} have=h a~x {{thing}}=x", "{doer} 没=n 有=h {thing}=x",
                               doer=doer.phrase, thing=word(noun.english, noun.chinese)))  # fmt: skip
    has = "has=h" if doer.agreement == "he" else "have=h"
    thing = noun_phrase(draw, noun, ("a", "two", "three"))
    return statement(weave(f"{{doer}} {has} {{thing}}", "{doer} 有=h {thing}", doer=doer.phrase, thing=thing.phrase))


INHABITANTS: dict[str, tuple[Noun, ...]] = {
    "table": (lexicon.BOOK, lexicon.APPLE, lexicon.LETTER, lexicon.HAT, lexicon.CAKE, lexicon.CAT, lexicon.PHOTO),
    "chair": (lexicon.BOOK, lexicon.HAT, lexicon.UMBRELLA, lexicon.COAT, lexicon.CAT, lexicon.LETTER),
    "under the table": (lexicon.CAT, lexicon.DOG, lexicon.MOUSE, lexicon.HAT, lexicon.KEY),
    "under the chair": (lexicon.CAT, lexicon.DOG, lexicon.MOUSE, lexicon.PEN, lexicon.UMBRELLA),
    "tree": (lexicon.CAT, lexicon.DOG, lexicon.HORSE, lexicon.UMBRELLA, lexicon.BIRD),
    "in the tree": (lexicon.CAT, lexicon.BIRD, lexicon.APPLE),
    "garden": (lexicon.CAT, lexicon.DOG, lexicon.HORSE, lexicon.BIRD),
    "kitchen": (lexicon.CAT, lexicon.MOUSE, lexicon.CAKE, lexicon.DOG),
}


def existence(draw: Draw) -> Phrase:
    """There is a cat under the tree: 树下有一只猫; Is there a cat: 有猫吗."""
    spot = draw.pick(tuple(INHABITANTS))
    noun, where = draw.pick(INHABITANTS[spot]), weave(*lexicon.SPOTS[spot])
    if draw.chance(0.25):
        article = "an" if noun.english[0] in "aeou" else "a"
        return weave(
            f"is~qh there=h {article}~x {{what}}=x {{where}} ?=m~q",
            "{where} 有~h {what}=x 吗~q ？=m",
            what=word(noun.english, noun.chinese),
            where=where,
        )
    what = noun_phrase(draw, noun, ("a", "a", "two", "three"), 0.3)
    is_ = "is" if what.agreement == "he" else "are"
    return statement(weave(f"there~h {is_}~h {{what}} {{where}}", "{where} 有~h {what}", what=what.phrase, where=where))


def location(draw: Draw) -> Phrase:
    """The cat is under the tree: 猫在树下; Where is the cat: 猫在哪里."""
    spot = draw.pick(tuple(INHABITANTS))
    what = noun_phrase(draw, draw.pick(INHABITANTS[spot]), ("the", "this", "possessive", "possessive"), 0.2).phrase
    if draw.chance(0.3):
        return weave("where=w is=i {what} ?=m", "{what} 在=i 哪里=w ？=m", what=what)
    return statement(
        weave("{what} is=i {where}~i", "{what} 在=i {where}", what=what, where=weave(*lexicon.SPOTS[spot]))
    )
