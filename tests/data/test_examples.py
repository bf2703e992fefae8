"""Pairs as numbers, batches as tensors, and the corpus in plain lines."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from regard.data.collate import collate, length_mask, pad
from regard.data.describe import coverage, describe, histogram, script_shares
from regard.data.examples import encode_pairs
from regard.data.reading import Pair
from regard.data.tokenisers import Tokeniser, make_tokeniser
from regard.errors import RegardError

PAIRS = [
    Pair("a b", "x y", "f", 1),
    Pair("a b a b", "x", "f", 2),
    Pair("b", "y y y y y", "f", 3),
    Pair("a", "x", "f", 4),
]


def tokenisers() -> tuple[Tokeniser, Tokeniser]:
    return make_tokeniser("symbols", ["a b"]), make_tokeniser("symbols", ["x y"])


class TestExamples:
    def test_ids_and_lengths(self) -> None:
        examples, omitted = encode_pairs(PAIRS, *tokenisers())
        assert [ids.tolist() for ids in examples.sources] == [[4, 5], [4, 5, 4, 5], [5], [4]]
        assert examples.source_lengths.tolist() == [2, 4, 1, 1]
        assert examples.target_lengths.tolist() == [3, 2, 6, 2]
        assert (len(examples), omitted.count, str(omitted)) == (4, 0, "")

    def test_overlong_pairs_are_counted(self) -> None:
        examples, omitted = encode_pairs(PAIRS, *tokenisers(), max_source_tokens=3, max_target_tokens=4)
        assert [pair.line for pair in examples.pairs] == [1, 4]
        assert str(omitted).splitlines() == [
            "left out, source longer than 3 tokens: 1 (line 2); the longest has 4, data.max_source_tokens is the limit",
            "left out, target longer than 4 tokens: 1 (line 3); the longest has 5, data.max_target_tokens is the limit",
        ]

    def test_a_limit_that_leaves_none(self) -> None:
        with pytest.raises(RegardError, match=r"f: no pair is left \(left out, source longer than 0 tokens") as caught:
            encode_pairs(PAIRS, *tokenisers(), max_source_tokens=0)
        assert "\n" not in str(caught.value)

    def test_a_side_without_tokens(self) -> None:
        examples, omitted = encode_pairs([*PAIRS, Pair(" ", "x", "f", 5)], *tokenisers())
        assert len(examples) == 4
        assert str(omitted) == "left out, a side without any token: 1 (line 5)"

    def test_no_pairs(self) -> None:
        examples, omitted = encode_pairs([], *tokenisers())
        assert (len(examples), omitted.count) == (0, 0)
        assert examples.target_lengths.tolist() == []


class TestCollate:
    def test_batch(self) -> None:
        examples, _ = encode_pairs(PAIRS, *tokenisers())
        batch = collate(examples.sources, examples.targets, [2, 0], source_pad=0, target_pad=9, bos=2, eos=3)
        assert batch.source.tolist() == [[5, 0], [4, 5]]
        assert batch.source_lengths.tolist() == [1, 2]
        assert batch.target_in.tolist() == [[2, 5, 5, 5, 5, 5], [2, 4, 5, 9, 9, 9]]
        assert batch.target_out.tolist() == [[5, 5, 5, 5, 5, 3], [4, 5, 3, 9, 9, 9]]
        assert batch.target_lengths.tolist() == [6, 3]
        assert batch.indices.tolist() == [2, 0]
        assert batch.source_mask.tolist() == [[True, False], [True, True]]
        assert batch.target_mask.sum().item() == 9
        assert len(batch) == 2
        assert {tensor.dtype for tensor in vars(batch).values()} == {torch.int64}
        assert torch.equal(batch.to("cpu").target_in, batch.target_in)

    def test_lists_do_as_well_as_arrays(self) -> None:
        options = {"source_pad": 0, "target_pad": 0, "bos": 2, "eos": 3}
        one = collate([[4, 5], [6]], [[7], []], [1, 0], **options)
        other = collate([np.array([4, 5]), np.array([6])], [np.array([7]), np.array([], int)], [1, 0], **options)
        assert all(torch.equal(vars(one)[name], vars(other)[name]) for name in vars(one))
        assert one.target_in.tolist() == [[2, 0], [2, 7]]
        assert one.target_out.tolist() == [[3, 0], [7, 3]]

    def test_empty_batch_of_a_rank(self) -> None:
        batch = collate([], [], [], source_pad=0, target_pad=0, bos=2, eos=3)
        assert (len(batch), batch.source.shape, batch.target_in.shape) == (0, (0, 0), (0, 0))

    def test_empty_rows(self) -> None:
        padded, lengths = pad([[], []], 0)
        assert (padded.shape, lengths.tolist()) == ((2, 0), [0, 0])

    def test_length_mask(self) -> None:
        assert length_mask(torch.tensor([0, 2]), 2).tolist() == [[False, False], [True, True]]


class TestDescribe:
    def test_histogram(self) -> None:
        assert histogram([1, 1, 1, 1, 2, 4], rows=10, width=4) == ["1 ████ 4", "2 █ 1", "3  0", "4 █ 1"]
        assert histogram([1, 2, 3, 4, 5, 10], rows=2, width=5) == [" 1-5 █████ 5", "6-10 █ 1"]
        assert histogram([]) == []

    def test_histogram_counts_everything(self) -> None:
        lengths = np.random.default_rng(0).integers(0, 1000, 500)
        assert sum(int(row.split()[-1]) for row in histogram(lengths)) == 500

    def test_scripts(self) -> None:
        assert script_shares(["Tom 在家, 1", "汤"]) == {"Latin": 0.5, "Han": 0.5}
        assert script_shares(["ᚠᚢ", "কে"]) == {"other": 0.5, "Bengali": 0.5}
        assert script_shares(["12 !"]) == {}

    def test_coverage(self) -> None:
        source, _ = tokenisers()
        found = coverage(source, ["a b", "a z", "z q"])
        assert (found.tokens, found.unknown, found.texts_with_unknown) == (6, 3, 2)
        assert str(found) == "3 of 6 tokens unknown (50.00%), in 2 of 3 lines; the commonest: 'z' 'q'"
        assert str(coverage(source, ["a"])) == "all 1 tokens known"

    def test_lines(self) -> None:
        examples, omitted = encode_pairs(PAIRS, *tokenisers(), max_source_tokens=3)
        lines = describe(examples, omitted, *tokenisers(), dev=[Pair("a z", "x")])
        assert lines[0] == "training pairs: 3; development pairs: 1"
        assert lines[1].startswith("left out, source longer than 3 tokens: 1 (line 2)")
        assert "source: symbols, a vocabulary of 6, 4 tokens" in lines
        assert "  development part: 1 of 2 tokens unknown (50.00%), in 1 of 1 lines; the commonest: 'z'" in lines
        assert "  tokens a line: median 2, 99 % at most 5, longest 5" in lines
