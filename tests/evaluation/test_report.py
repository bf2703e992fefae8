"""Scores in plain text."""

from __future__ import annotations

import pytest

from regard.evaluation import Score, score_table, table


def test_columns_line_up_with_wide_characters() -> None:
    text = table(("系统", "BLEU"), [("注意力", "31.20"), ("fixed", "8.05")])
    assert text == "\n".join(
        [
            "系统     BLEU",
            "------  -----",
            "注意力  31.20",
            "fixed    8.05",
        ]
    )


def test_a_row_must_fill_the_columns() -> None:
    with pytest.raises(ValueError, match="2 headings, but a row of 1"):
        table(("a", "b"), [("x",)])
    assert table(("a", "b"), []) == "a  b\n-  -"


def test_a_score_says_how_it_was_computed() -> None:
    bleu = Score("bleu", 31.234, True, 100, "nrefs:1|tok:zh", "tokenizer zh, since ...")
    assert str(bleu) == "bleu 31.23  (higher is better, 100 sentences, tokenizer zh, since ..., nrefs:1|tok:zh)"
    cer = Score("cer", 5.0, False, 100)
    assert score_table([bleu, cer]).splitlines() == [
        "metric  value  better  signature",
        "------  -----  ------  --------------",
        "bleu    31.23  higher  nrefs:1|tok:zh",
        "cer      5.00  lower",
        "bleu: tokenizer zh, since ...",
    ]
