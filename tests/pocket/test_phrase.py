"""Weaving phrases of two languages together."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from regard.data.pocket.phrase import EMPTY, Phrase, weave

WORDS = st.lists(st.sampled_from("abcd"), max_size=4).map(tuple)


@st.composite
def phrases(draw: st.DrawFn) -> Phrase:
    source, target = draw(WORDS), draw(WORDS)
    if not source or not target:
        return EMPTY
    links = st.sets(st.tuples(st.integers(0, len(source) - 1), st.integers(0, len(target) - 1)))
    sure = draw(links)
    return Phrase(source, target, frozenset(sure), frozenset(draw(links) - sure))


def test_marks_link_words_and_slots_keep_their_links() -> None:
    tom = Phrase(("Tom", "'s", "dog"), ("汤姆", "的", "狗"), frozenset({(0, 0), (1, 1), (2, 2)}))
    jerry = Phrase(("Jerry",), ("杰瑞",), frozenset({(0, 0)}))
    woven = weave("{patient} was~b seen=v by~b {agent}", "{patient} 被~b {agent} 看见=v 了=v", patient=jerry, agent=tom)
    assert woven.source == ("Jerry", "was", "seen", "by", "Tom", "'s", "dog")
    assert woven.target == ("杰瑞", "被", "汤姆", "的", "狗", "看见", "了")
    assert woven.sure == {(0, 0), (2, 5), (2, 6), (4, 2), (5, 3), (6, 4)}
    assert woven.possible == {(1, 1), (3, 1)}


def test_a_link_is_sure_only_where_both_ends_are() -> None:
    woven = weave("the~n old=a dog=n", "老=a 狗=n")
    assert woven.sure == {(1, 0), (2, 1)}
    assert woven.possible == {(0, 1)}


def test_a_mark_on_a_slot_is_its_first_words() -> None:
    woven = weave("a=d {noun}~n", "一=d 只~dn {noun}", noun=Phrase(("cat",), ("猫",), frozenset({(0, 0)})))
    assert woven.sure == {(0, 0), (1, 2)}
    assert woven.possible == {(0, 1), (1, 1)}


@given(phrases(), phrases())
def test_links_move_with_their_words(one: Phrase, other: Phrase) -> None:
    woven = weave("{one} x {other}", "{other} {one}", one=one, other=other)
    assert woven.source == (*one.source, "x", *other.source)
    assert woven.target == other.target + one.target
    assert len(woven.sure) == len(one.sure) + len(other.sure)
    assert not woven.sure & woven.possible
    for links, parts in ((woven.sure, (one.sure, other.sure)), (woven.possible, (one.possible, other.possible))):
        named = sorted((woven.source[i], woven.target[j]) for i, j in links)
        expected = [(one.source[i], one.target[j]) for i, j in parts[0]]
        expected += [(other.source[i], other.target[j]) for i, j in parts[1]]
        assert named == sorted(expected)


def test_a_slot_on_one_side_alone_is_refused() -> None:
    with pytest.raises(ValueError, match=r"slots \['thing'\] stand on one side alone"):
        weave("{thing} runs", "跑步", thing=EMPTY)


def test_an_unreadable_pattern_is_refused() -> None:
    with pytest.raises(ValueError, match="can't read '=x'"):
        weave("=x", "跑步")
