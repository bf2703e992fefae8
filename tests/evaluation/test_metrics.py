"""Metrics: against sacreBLEU itself, against values worked out by hand, and what they refuse."""

from __future__ import annotations

import math

import pytest
import sacrebleu
from hypothesis import given
from hypothesis import strategies as st

from regard.errors import RegardError
from regard.evaluation import METRICS, bleu_tokenizer, length_ratio, score, statistics

ENGLISH = ["Tom chases Jerry in the old garden .", "the cat sat on the mat"]
REFERENCES = ["Tom chases Jerry through the old garden.", "The cat sat on a mat"]
CHINESE = ["汤姆追杰瑞。", "他昨天来了。"]
CHINESE_REFERENCES = [["汤姆在追杰瑞。", "汤姆追赶杰瑞。"], ["他昨天来的。"]]

texts = st.lists(st.text("abc d", min_size=1, max_size=8), min_size=1, max_size=4)


def test_bleu_is_that_of_sacrebleu() -> None:
    expected = sacrebleu.corpus_bleu(ENGLISH, [REFERENCES])
    found = score("bleu", ENGLISH, REFERENCES)
    assert found.value == pytest.approx(expected.score)
    assert 0 < found.value < 100
    assert found.signature.startswith("nrefs:1|case:mixed|eff:no|tok:13a|smooth:exp|version:")
    lower = sacrebleu.corpus_bleu(ENGLISH, [REFERENCES], lowercase=True)
    assert score("bleu", ENGLISH, REFERENCES, lowercase=True).value == pytest.approx(lower.score)
    assert lower.score > expected.score


def test_the_length_of_outputs_is_that_which_bleu_punishes() -> None:
    short = [text[: len(text) // 2] for text in ENGLISH]
    expected = sacrebleu.corpus_bleu(short, [REFERENCES])
    found = length_ratio(statistics("bleu", short, REFERENCES))
    assert found == pytest.approx(expected.sys_len / expected.ref_len)
    assert math.exp(1 - 1 / found) == pytest.approx(expected.bp)
    assert length_ratio(statistics("bleu", CHINESE, CHINESE)) == 1.0
    with pytest.raises(ValueError, match="of what BLEU counted, not chrf"):
        length_ratio(statistics("chrf", ENGLISH, REFERENCES))


def test_chinese_bleu_takes_every_reference_there_is() -> None:
    streams = [["汤姆在追杰瑞。", "他昨天来的。"], ["汤姆追赶杰瑞。", None]]
    found = score("bleu", CHINESE, CHINESE_REFERENCES)
    assert found.value == pytest.approx(sacrebleu.corpus_bleu(CHINESE, streams, tokenize="zh").score)
    assert "nrefs:var" in found.signature
    assert "tok:zh" in found.signature
    assert found.note == "tokenizer zh, since most letters of the references are Chinese"


def test_chrf_and_ter_are_those_of_sacrebleu() -> None:
    assert score("chrf", ENGLISH, REFERENCES).value == pytest.approx(sacrebleu.corpus_chrf(ENGLISH, [REFERENCES]).score)
    # sacreBLEU's TER ignores case unless told; Regard's metrics ignore it only when told.
    expected = sacrebleu.corpus_ter(ENGLISH, [REFERENCES], case_sensitive=True).score
    assert score("ter", ENGLISH, REFERENCES).value == pytest.approx(expected)
    assert score("ter", ["他昨天来了"], ["他昨天来的"]).value == pytest.approx(20.0), "one of five characters"


@pytest.mark.parametrize(
    ("text", "tokenizer"),
    [
        ("Tom chases Jerry.", "13a"),
        ("汤姆追杰瑞。", "zh"),
        ("我用 Python 和 git", "13a"),
        ("我们都用 git 写书和文章", "zh"),
        ("トムは猫です", "char"),
        ("猫が好き", "char"),
        ("ทอมไล่เจอร์รี่", "char"),
        ("톰이 제리를 쫓는다", "13a"),
        ("টম জেরিকে তাড়া করে।", "13a"),
        ("", "13a"),
    ],
)
def test_the_tokenizer_follows_the_script(text: str, tokenizer: str) -> None:
    assert bleu_tokenizer([text])[0] == tokenizer


def test_accuracy_counts_outputs_that_are_wholly_right() -> None:
    assert score("accuracy", ["a  b ", "A"], ["a b", "a"]).value == 50
    assert score("accuracy", ["a  b ", "A"], ["a b", "a"], lowercase=True).value == 100
    assert score("accuracy", ["e\u0301"], [["x", "é"]]).value == 100


def test_error_rates_by_hand() -> None:
    # 1 of 3 phones and 2 of 2: 3 edits over 5 phones.
    assert score("per", ["k æ t", "d"], ["k ʌ t", "f ɔ"]).value == pytest.approx(60)
    assert score("token_error_rate", ["k æ t", "d"], ["k ʌ t", "f ɔ"]).value == pytest.approx(60)
    assert score("cer", ["kitten"], ["sitting"]).value == pytest.approx(100 * 3 / 7)
    # The nearest reference counts, with its own length.
    assert score("cer", ["abcd"], [["xyzxyz", "abcde"]]).value == pytest.approx(20)


def test_error_rates_where_nothing_was_to_be_said() -> None:
    assert score("cer", [""], [""]).value == 0
    assert score("cer", ["a"], [""]).value == 100
    assert score("cer", ["a", "b"], ["", "b"]).value == 100


@pytest.mark.parametrize("name", METRICS)
def test_a_perfect_output_has_the_best_score(name: str) -> None:
    found = score(name, REFERENCES, REFERENCES)
    assert found.value == pytest.approx(100 if METRICS[name].higher_is_better else 0)
    assert found.higher_is_better == METRICS[name].higher_is_better
    assert found.signature
    assert str(found).startswith(f"{name} ")


@given(texts, st.randoms())
def test_scores_do_not_depend_on_the_order_of_sentences(references: list[str], random) -> None:
    hypotheses = [text[::-1] for text in references]
    order = list(range(len(references)))
    random.shuffle(order)
    for name in METRICS:
        shuffled = score(name, [hypotheses[i] for i in order], [references[i] for i in order])
        assert shuffled.value == pytest.approx(score(name, hypotheses, references).value)


@given(texts)
def test_another_reference_never_raises_the_edits(references: list[str]) -> None:
    hypotheses = [text[1:] for text in references]
    more = [[reference, reference[::-1]] for reference in references]
    edits = statistics("cer", hypotheses, references).counts[:, 0]
    assert (statistics("cer", hypotheses, more).counts[:, 0] <= edits).all()


@pytest.mark.parametrize(
    ("hypotheses", "references", "name", "message"),
    [
        (["a"], ["a", "b"], "bleu", "bleu: 1 outputs but 2 references"),
        ([], [], "bleu", "bleu: there is no sentence to score"),
        (["a", "b"], [["a"], []], "cer", "cer: sentence 2 has no reference"),
        (["a"], ["a"], "blue", "there is no 'blue'; did you mean 'bleu'?"),
    ],
)
def test_what_cannot_be_scored_is_said(hypotheses, references, name: str, message: str) -> None:
    with pytest.raises(RegardError) as caught:
        score(name, hypotheses, references)
    assert message in str(caught.value)
