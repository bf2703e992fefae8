"""Noun phrases of the English-Chinese pocket corpus: names, pronouns, and nouns with their determiners."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from regard.data.pocket import lexicon
from regard.data.pocket.draw import Draw
from regard.data.pocket.lexicon import Name, Noun, Pronoun, Who
from regard.data.pocket.phrase import EMPTY, Phrase, weave

Agreement = Literal["he", "I", "they"]
Determiner = Literal["the", "a", "this", "that", "two", "three", "generic", "possessive"]

DEFINITE: tuple[Determiner, ...] = ("the", "this", "that", "possessive")
INDEFINITE: tuple[Determiner, ...] = ("a", "two")


@dataclass(frozen=True)
class Nominal:
    """A noun phrase, what the verb agrees with, and whom it is about (so that nobody helps himself unawares)."""

    phrase: Phrase
    agreement: Agreement = "he"
    about: frozenset[str] = frozenset()


NOBODY = Nominal(EMPTY)


def word(english: str, chinese: str) -> Phrase:
    return weave(f"{english}=x", f"{chinese}=x")


def of_name(name: Name) -> Nominal:
    return Nominal(word(name.english, name.chinese), "he", frozenset({name.english}))


def of_pronoun(pronoun: Pronoun, case: Literal["subject", "object"]) -> Nominal:
    english = pronoun.subject if case == "subject" else pronoun.object
    agreement: Agreement = pronoun.agreement if case == "subject" else "he"
    return Nominal(word(english, pronoun.chinese), agreement, frozenset({pronoun.chinese[0]}))


def adjective(english: str, noun: Noun) -> Phrase:
    if english == "old":
        return word(english, "老" if noun in lexicon.ANIMALS else "旧")
    return word(english, lexicon.ADJECTIVES[english])


def of_noun(draw: Draw, noun: Noun, determiner: Determiner, adjectives: float = 0.2) -> Nominal:
    """The noun under a determiner, with an adjective in that share of the cases where it may bear one."""
    plural = determiner in ("two", "three", "generic")
    quality = EMPTY
    if noun.adjectives and draw.chance(adjectives):
        quality = adjective(draw.pick(noun.adjectives), noun)
    head = word(noun.plural if plural else noun.english, noun.chinese)
    classifier = noun.classifier
    about = {noun.chinese}
    if determiner == "the":
        phrase = weave("the~n {quality} {noun}=n", "{quality} {noun}=n", quality=quality, noun=head)
    elif determiner == "possessive":
        owner = possessor(draw)
        about |= {owner.source[0]}
        phrase = weave("{owner} {quality} {noun}", "{owner} {quality} {noun}",
                       owner=owner, quality=quality, noun=head)  # fmt: skip
    elif determiner == "generic":
        phrase = weave("{quality} {noun}", "{quality} {noun}", quality=quality, noun=head)
    else:
        first = (quality.source or head.source)[0]
        english = "an" if determiner == "a" and first[0] in "aeou" else determiner
        chinese = {"a": "一", "this": "这", "that": "那", "two": "两", "three": "三"}[determiner]
        phrase = weave(f"{english}=d {{quality}} {{noun}}~n", f"{chinese}=d {classifier}~dn {{quality}} {{noun}}",
                       quality=quality, noun=head)  # fmt: skip
    return Nominal(phrase, "they" if plural else "he", frozenset(about))


def possessor(draw: Draw) -> Phrase:
    """my, his, her, or somebody's."""
    if draw.chance(0.5):
        english, chinese = draw.pick(tuple(lexicon.POSSESSIVES.items()))
        return weave(f"{english}=d", f"{chinese}=d 的=d")
    return weave("{owner} 's=d", "{owner} 的=d", owner=of_name(draw.pick(lexicon.NAMES)).phrase)


def bare(noun: Noun) -> Nominal:
    """An object that stands as it is: football, breakfast; but the piano, the door."""
    article = "the~n" if noun in _WITH_ARTICLE else ""
    phrase = weave(f"{article} {noun.english}=n", f"{noun.chinese}=n")
    return Nominal(phrase, "he", frozenset({noun.chinese}))


_WITH_ARTICLE = (
    lexicon.PIANO,
    lexicon.VIOLIN,
    lexicon.DOOR,
    lexicon.WINDOW,
    lexicon.BUS,
    lexicon.ANSWER,
    lexicon.MUSEUM,
    lexicon.SCHOOL,
)


def person(draw: Draw, case: Literal["subject", "object"], names: float = 0.45) -> Nominal:
    """Somebody: mostly a name, else a pronoun, a boy, a friend, several, or (as subject) two by name."""
    if draw.chance(names):
        return of_name(draw.pick(lexicon.NAMES))
    kinds = ("pronoun", "pronoun", "pronoun", "noun", "noun", "noun", "friend", "group", "pair")
    kind = draw.pick(kinds if case == "subject" else kinds[:-1])
    if kind == "pronoun":
        return of_pronoun(draw.pick(lexicon.PRONOUNS), case)
    if kind == "friend":
        return of_noun(draw, lexicon.FRIEND, "possessive")
    if kind == "group":
        noun = draw.pick(lexicon.PEOPLE[:2])
        phrase = weave(f"the~n {noun.plural}=n", f"{noun.chinese}=n 们=n")
        return Nominal(phrase, "they", frozenset({noun.chinese}))
    if kind == "pair":
        one, other = draw.shuffled(lexicon.NAMES)[:2]
        phrase = weave(
            "{one} and=c {other}", "{one} 和=c {other}", one=of_name(one).phrase, other=of_name(other).phrase
        )
        return Nominal(phrase, "they", frozenset({one.english, other.english}))
    return of_noun(draw, draw.pick(lexicon.PEOPLE), draw.pick(("the", "the", "this", "that")))


def animal(draw: Draw, animals: Sequence[Noun] = lexicon.ANIMALS) -> Nominal:
    noun = draw.pick(animals)
    kept_at_home = noun in (lexicon.CAT, lexicon.DOG, lexicon.HORSE)
    return of_noun(draw, noun, draw.pick(DEFINITE if kept_at_home else DEFINITE[:3]), adjectives=0.3)


def subject(draw: Draw, who: Who) -> Nominal:
    if who == "flier":
        return of_noun(draw, draw.pick((lexicon.BIRD, lexicon.BAT)), draw.pick(("the", "this", "that")))
    if who == "animal" or (who == "animate" and draw.chance(0.4)):
        return animal(draw)
    return person(draw, "subject")


def being(draw: Draw, animals: Sequence[Noun]) -> Nominal:
    """Someone or an animal, as an object."""
    return animal(draw, animals) if draw.chance(0.45) else person(draw, "object", names=0.6)
