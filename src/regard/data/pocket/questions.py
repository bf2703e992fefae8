"""Questions, requests and abilities in the English-Chinese pocket corpus, each construction a function of a draw."""

from __future__ import annotations

from regard.data.pocket import lexicon
from regard.data.pocket.clauses import clause, kept, place_of, question, thing_of
from regard.data.pocket.draw import Draw
from regard.data.pocket.lexicon import DEEDS, Deed
from regard.data.pocket.nominals import (
    DEFINITE,
    NOBODY,
    Nominal,
    person,
    subject,
    word,
)
from regard.data.pocket.phrase import EMPTY, Phrase, weave
from regard.data.pocket.statements import (
    ACTIVE,
    HUMAN,
    RELATIVE,
    asked,
    doing,
    statement,
    time_of,
)

WHO, WHAT = word("who", "谁"), word("what", "什么")
WHERE = weave("where=w", "在=w 哪里=w")
WHEN = weave("when=w", "什么=w 时候=w")
WHY = word("why", "为什么")

# What one asks another to do, by its Chinese verb.
CRIED_OUT = ("打开", "翻开", "关上", "合上", "等", "帮助")
ASKED_POLITELY = (
    *CRIED_OUT, "看", "找", "洗", "喝", "吃", "读", "写", "哭", "睡觉", "唱歌", "跳舞", "踢", "弹", "拉", "坐",
    "拍", "买", "跑步", "游泳", "看望",
)  # fmt: skip


def question_tense(draw: Draw, deed: Deed) -> str:
    tense = draw.pick({
        "activity": ("present", "past", "progressive", "progressive", "future", "want"),
        "state": ("present",),
        "result": ("past", "future", "want"),
        "mishap": ("past", "past", "future"),
        "dress": ("wearing", "want"),
    }[deed.kind])  # fmt: skip
    return "present" if tense == "past" and deed.verb.base == "read" else tense


def asked_about(draw: Draw, deed: Deed) -> Nominal:
    """A doer whom one would ask about: not oneself."""
    while True:
        several = deed.kind != "dress" and deed.who == "person" and draw.chance(0.25)
        doer = person(draw, "subject", names=0.0) if several else doing(draw, deed)
        if not doer.about & {"我"}:
            return doer


def yes_or_no(draw: Draw) -> Phrase:
    deed = draw.pick(DEEDS)
    tense = question_tense(draw, deed)
    doer = asked_about(draw, deed)
    thing = thing_of(draw, deed, tense, doer, DEFINITE).phrase
    when = time_of(draw, tense) if deed.kind == "activity" and draw.chance(0.2) else EMPTY
    where = place_of(draw, deed) if deed.places and draw.chance(0.2) else EMPTY
    return question(doer, deed, tense, thing, time=when, place=where)


def who_does(draw: Draw) -> Phrase:
    deed = draw.pick(tuple(deed for deed in DEEDS if deed.who != "flier"))
    tense = question_tense(draw, deed)
    thing = thing_of(draw, deed, tense, NOBODY, DEFINITE)
    return asked(clause(Nominal(WHO), deed, tense, thing.phrase))


def asked_object(draw: Draw) -> Phrase:
    """Whom, what, which or how many: 谁, 什么, 哪本, 几本, all behind the verb."""
    deed = draw.pick(
        (
            *RELATIVE,
            *kept(objects="things"),
            *kept(kind="state", objects="beings"),
            *kept(kind="state", objects="people"),
        )
    )
    tense = question_tense(draw, deed)
    doer = asked_about(draw, deed)
    if deed.objects != "things":
        return question(doer, deed, tense, asked=WHO)
    noun = draw.pick(deed.things)
    kind = draw.pick(("what", "which", "how many"))
    if kind == "what" and noun not in lexicon.ANIMALS and deed.kind != "dress":
        return question(doer, deed, tense, asked=WHAT)
    if kind == "how many" and noun.plural:
        counted = weave(f"how=h many=h {noun.plural}=n~c", f"几=h {noun.classifier}~hc {noun.chinese}=n")
        return question(doer, deed, tense, asked=counted)
    which = weave(f"which=w {noun.english}=n~c", f"哪=w {noun.classifier}~wc {noun.chinese}=n")
    return question(doer, deed, tense, asked=which)


def where_when_why(draw: Draw) -> Phrase:
    kind = draw.pick(("where", "when", "why"))
    deed = draw.pick([deed for deed in ACTIVE if deed.places] if kind == "where" else ACTIVE)
    tense = draw.pick({
        "where": ("present", "present", "progressive", "want"),
        "when": ("present", "future"),
        "why": ("present", "progressive", "want"),
    }[kind])  # fmt: skip
    doer = asked_about(draw, deed)
    thing = thing_of(draw, deed, tense, doer, DEFINITE).phrase
    if kind == "where":
        return question(doer, deed, tense, thing, place_asked=WHERE)
    return question(doer, deed, tense, thing, time_asked=WHEN if kind == "when" else WHY)


def whose(draw: Draw) -> Phrase:
    noun = draw.pick(
        (
            lexicon.BOOK,
            lexicon.HAT,
            lexicon.CAR,
            lexicon.UMBRELLA,
            lexicon.COAT,
            lexicon.DOG,
            lexicon.CAT,
            lexicon.SHIRT,
        )
    )
    that, chinese = draw.pick((("this=t", "这=t"), ("that=t", "那=t")))
    return weave(f"whose=w {noun.english}=n is=b {that} ?=m", f"{chinese} 是=b 谁=w 的=w {noun.chinese}=n ？=m")


def request(draw: Draw) -> Phrase:
    """Please open the door: 请打开门; don't: 别."""
    patterns = (
        ("please=p {said}", "请=p {said}"),
        ("{said} , please=p", "请=p {said}"),
        ("{said} , please=p", "请=p {said}"),
        ("please=p don't=n {said}", "请=p 别=n {said}"),
        ("don't=n {said}", "别=n {said}"),
    )
    source, target = draw.pick(patterns)
    short = source.startswith("{said}")  # what one cries out: Open the door, please.
    allowed = CRIED_OUT if short else ASKED_POLITELY
    deed = draw.pick([deed for deed in HUMAN if deed.chinese in allowed])
    thing = thing_of(draw, deed, "not" if "n" in source.split("=")[0] else "bare", NOBODY, DEFINITE)
    where = place_of(draw, deed) if deed.places and draw.chance(0.3) else EMPTY
    return statement(
        weave(source, target, said=clause(Nominal(EMPTY, "they"), deed, "bare", thing.phrase, place=where))
    )


def ability(draw: Draw) -> Phrase:
    """can is 会 of a skill and 能 of what circumstances allow."""
    able = draw.chance(0.5)
    skills = [
        deed
        for deed in DEEDS
        if deed.chinese in ("游泳", "唱歌", "跳舞", "踢", "弹", "拉", "飞") or deed.chinese == "打"
    ]
    feats = [deed for deed in DEEDS if deed.chinese in ("看见", "找到", "抓住", "帮助", "打开", "关上")]
    deed = draw.pick(feats if able else skills)
    kind = draw.pick(("yes", "yes", "no", "question"))
    doer = asked_about(draw, deed) if kind == "question" else subject(draw, deed.who)
    thing = thing_of(draw, deed, "not", doer, DEFINITE).phrase
    if kind == "question":
        return question(doer, deed, "is able" if able else "knows how", thing)
    tense = {"yes": ("knows how", "is able"), "no": ("knows not how", "is not able")}[kind][able]
    return statement(clause(doer, deed, tense, thing))
