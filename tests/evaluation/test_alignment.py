"""Alignment error rate against values worked out by hand, its bounds, and files that do not fit."""

from __future__ import annotations

import gzip
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from regard.errors import RegardError
from regard.evaluation import (
    Gold,
    alignment_score,
    alignment_statistics,
    bootstrap,
    parse_gold,
    parse_links,
    read_gold,
    read_links,
)
from regard.maps import pharaoh

links = st.frozensets(st.tuples(st.integers(0, 5), st.integers(0, 5)), max_size=10)
golds = st.builds(Gold, links, links)


def test_aer_by_hand() -> None:
    gold = [parse_gold("0-0 1-1 1p2 2?2"), parse_gold("0-0")]
    found = [parse_links("0-0 1-2 2-1"), parse_links("0-0 1-1")]
    # |A & S| = 1 + 1, |A & P| = 2 + 1, |A| = 5, |S| = 3.
    score = alignment_score(found, gold)
    assert score.aer == pytest.approx(1 - (2 + 3) / (5 + 3))
    assert score.precision == pytest.approx(3 / 5)
    assert score.recall == pytest.approx(2 / 3)
    assert score.f1 == pytest.approx(2 * 0.6 * (2 / 3) / (0.6 + 2 / 3))
    assert str(score) == "AER 37.5 %, precision 60.0 %, recall 66.7 %, F1 63.2 % (5 links in 2 sentences)"
    assert alignment_statistics(found, gold).score().value == pytest.approx(37.5)


@given(st.lists(st.tuples(links, golds), min_size=1, max_size=5))
def test_rates_are_shares(pairs) -> None:
    found, gold = [a for a, _ in pairs], [g for _, g in pairs]
    score = alignment_score(found, gold)
    for rate in (score.aer, score.precision, score.recall, score.f1):
        assert 0 <= rate <= 1
    sure = alignment_score([g.sure for g in gold], gold)
    assert (sure.aer, sure.precision, sure.recall) == (0, 1, 1)


@given(links, links)
def test_without_possible_links_aer_is_one_less_f1(found, wanted) -> None:
    score = alignment_score([found], [Gold(wanted, frozenset())])
    if found and wanted:
        assert score.aer == pytest.approx(1 - score.f1)


@given(links, golds)
def test_links_inside_possible_never_raise_aer(found, gold: Gold) -> None:
    more = alignment_score([found | gold.sure], [gold])
    assert more.aer <= alignment_score([found], [gold]).aer + 1e-12


def test_intervals_come_from_the_same_counts() -> None:
    gold = [Gold(frozenset({(0, 0)}), frozenset())] * 50
    found = [frozenset({(0, 0)}) if i % 2 else frozenset({(1, 1)}) for i in range(50)]
    interval = bootstrap(alignment_statistics(found, gold), samples=200)
    assert interval.low < interval.score.value == 50 < interval.high


@given(links)
def test_what_is_written_is_read(some) -> None:
    assert parse_links(pharaoh(some)) == some
    assert parse_gold(pharaoh(some)) == Gold(some, some)


@pytest.mark.parametrize("name", ["a.talp", "a.talp.gz"])
def test_files_are_read_line_by_line(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    text = b"1-1 2p2\n\n1?1\n"
    path.write_bytes(gzip.compress(text) if name.endswith(".gz") else text)
    sure = frozenset({(0, 0)})
    none: frozenset = frozenset()
    assert read_gold(path, sizes=[(2, 2), (1, 1), (1, 1)], first=1) == [
        Gold(sure, frozenset({(1, 1)})),
        Gold(none, none),
        Gold(none, sure),
    ]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("0-0\n0-2\n", "line 2: link 0-2 points outside the sentences of 2 and 2 tokens, is it counted from 1?"),
        ("0-0\n9-2\n", "line 2: link 9-2 points outside the sentences of 2 and 2 tokens"),
        ("0-0\n0-0 x\n", "line 2: 'x' is no link; links are written 0-1 (sure), 0p1 or 0?1 (possible)"),
        ("0-0\n-1-0\n", "line 2: '-1-0' is no link"),
        ("0-0\n٣-0\n", "is no link"),
        ("0-0\n0p0\n", "line 2: a possible link (p or ?) stands among links that are not gold ones"),
        ("0-0\n", "has 1 lines for 2 sentence pairs"),
        ("0-0\n0-0\n0-0\n", "has more lines than there are sentence pairs (2)"),
    ],
)
def test_links_that_do_not_fit_are_named_with_their_line(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "links.pharaoh"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(RegardError) as caught:
        read_links(path, sizes=[(2, 2), (2, 2)])
    assert str(caught.value).startswith(str(path))
    assert message in str(caught.value)


def test_other_files_that_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(RegardError, match="can't be read: No such file"):
        read_links(tmp_path / "none")
    (tmp_path / "latin").write_bytes(b"0-0\n\xe9\n")
    with pytest.raises(RegardError, match="is not UTF-8 text"):
        read_links(tmp_path / "latin")
    (tmp_path / "no.gz").write_bytes(b"0-0\n")
    with pytest.raises(RegardError, match="can't be read"):
        read_links(tmp_path / "no.gz")
    with pytest.raises(RegardError, match="link 0-1 counts from 0, but tokens are counted from 1"):
        parse_links("0-1", first=1)


def test_different_numbers_of_sentences_are_refused() -> None:
    with pytest.raises(RegardError, match="links of 1 sentences, but gold links of 2"):
        alignment_score([frozenset()], [Gold(frozenset(), frozenset())] * 2)
    with pytest.raises(RegardError, match="no sentence to score"):
        alignment_score([], [])


@pytest.mark.realdata
def test_the_hansard_gold_links_are_as_published(corpora: Path) -> None:
    folder = corpora / "align-en-fr-hansards"
    lines = [(folder / f"dev.{side}").read_text(encoding="utf-8").splitlines() for side in ("en", "fr")]
    sizes = [(len(en.split()), len(fr.split())) for en, fr in zip(*lines, strict=True)]
    gold = read_gold(folder / "dev.talp", sizes)
    assert len(gold) == 200
    assert sum(len(pair.sure) for pair in gold) == 1794
    assert sum(len(pair.possible - pair.sure) for pair in gold) == 5451
    assert alignment_score([pair.sure for pair in gold], gold).aer == 0
