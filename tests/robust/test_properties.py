"""What holds for any texts and any lengths: round trips, offsets, order."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from regard.data.batches import Unit, evaluation_batches, restore
from regard.data.text import normalise
from regard.data.tokenisers import load_tokeniser, make_tokeniser
from regard.errors import RegardError

TEXTS = st.lists(st.text(max_size=30), min_size=1, max_size=8)
KINDS = ["character", "symbols", "bpe:60", "unigram:60"]


@pytest.mark.parametrize("kind", KINDS)
@given(texts=TEXTS, casing=st.sampled_from(["keep", "fold"]))
@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_a_tokeniser_of_any_texts_gives_them_back(kind: str, texts: list[str], casing: str, tmp_path: Path) -> None:
    """Trained on whatever texts, it knows all of them: encoding and decoding changes nothing but what normalising
    does (`symbols` makes white space single); offsets cut the text in order; stored and read it is the same."""
    assume(any(text.strip() for text in texts))
    try:
        made = make_tokeniser(kind, texts, casing)  # type: ignore[arg-type]
    except RegardError as error:
        assert kind.startswith("unigram")
        assert "can't be trained" in str(error)  # noqa: PT017
        return
    made.save(tmp_path, "any")
    again = load_tokeniser(tmp_path, "any")
    assert again.vocabulary == made.vocabulary
    for text in texts:
        found = made.encode(text)
        expected = normalise(text, casing)  # type: ignore[arg-type]
        assert found.text == expected
        assert again.encode(text) == found
        assert made.unk not in found.ids
        assert made.decode(found.ids) == (" ".join(expected.split()) if kind == "symbols" else expected)
        ends = [0]
        for (start, end), piece in zip(found.offsets, found.pieces, strict=True):
            assert ends[-1] <= start <= end <= len(expected)
            assert not expected[ends[-1] : start].strip()  # nothing but white space lies between pieces
            assert piece == expected[start:end]
            ends.append(end)
        assert not expected[ends[-1] :].strip()


@given(
    lengths=st.lists(st.integers(0, 50), max_size=80),
    size=st.integers(1, 200),
    unit=st.sampled_from(["tokens", "sentences"]),
)
def test_batches_for_predicting_keep_their_limit_and_the_order(lengths: list[int], size: int, unit: Unit) -> None:
    batches = evaluation_batches(lengths, size=size, unit=unit)
    for batch in batches:
        width = max(max(lengths[index] for index in batch), 1)
        assert len(batch) * (width if unit == "tokens" else 1) <= size or len(batch) == 1
    assert restore(batches, [[f"of {index}" for index in batch] for batch in batches]) == [
        f"of {index}" for index in range(len(lengths))
    ]
