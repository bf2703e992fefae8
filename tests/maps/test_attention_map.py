"""The attention map: choosing, merging, leaving out, and the numbers read off it."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from regard.errors import RegardError
from regard.maps import NO_WORD, AttentionMap, Tokens, visible, whole_words


def tom_and_jerry() -> AttentionMap:
    """The example that every page of Regard shows, with an end of the sentence on both sides."""
    weights = np.array(
        [
            [0.93, 0.05, 0.01, 0.01, 0.00],
            [0.04, 0.90, 0.03, 0.01, 0.02],
            [0.00, 0.02, 0.95, 0.01, 0.02],
            [0.00, 0.00, 0.00, 0.00, 0.00],
            [0.00, 0.00, 0.00, 0.30, 0.70],
        ],
        dtype=np.float32,
    )
    source = whole_words(["Tom", "chases", "Jerry", ".", "</s>"], special=["</s>"])
    target = whole_words(["汤姆", "追", "杰瑞", "。", "</s>"], special=["</s>"])
    return AttentionMap(weights, source, target, axes=())


def pieces(lengths: list[int], specials: int) -> Tokens:
    words = [word for word, length in enumerate(lengths) for _ in range(length)] + [NO_WORD] * specials
    return Tokens(tuple(f"p{i}" for i in range(len(words))), tuple(words))


@st.composite
def maps(draw: st.DrawFn) -> AttentionMap:
    """Maps of any words and pieces, whose rows sum to 1 except those without any weight."""
    sides = [
        pieces(draw(st.lists(st.integers(1, 3), min_size=1, max_size=4)), draw(st.integers(0, 1))) for _ in range(2)
    ]
    source, target = sides
    generator = np.random.default_rng(draw(st.integers(0, 2**32)))
    weights = generator.dirichlet(np.ones(len(source)), size=(2, 3, len(target)))
    weights[..., draw(st.integers(0, len(target) - 1)), :] *= draw(st.sampled_from([0.0, 1.0]))
    return AttentionMap(weights, source, target)


def test_the_reading_names_what_each_target_attends_to_and_states_the_rest() -> None:
    assert tom_and_jerry().reading(top=3) == "\n".join(
        [
            "汤姆 <- Tom 0.93, chases 0.05, Jerry 0.01 (rest 0.01)",
            "追 <- chases 0.90, Tom 0.04, Jerry 0.03 (rest 0.03)",
            "杰瑞 <- Jerry 0.95, chases 0.02, </s> 0.02 (rest 0.01)",
            "。 <- (no weight at all)",
            "</s> <- </s> 0.70, . 0.30",
        ]
    )
    assert tom_and_jerry().reading().splitlines()[0] == "汤姆 <- Tom 0.93, chases 0.05, Jerry 0.01, . 0.01"


def test_the_rest_counts_what_was_left_out_of_the_map() -> None:
    without = tom_and_jerry().without_special()
    assert without.reading(top=1).splitlines()[1] == "追 <- chases 0.90 (rest 0.10)"
    assert without.reading().splitlines()[1] == "追 <- chases 0.90, Tom 0.04, Jerry 0.03, . 0.01 (rest 0.02)"


def test_a_rest_that_rounds_to_nothing_is_still_stated() -> None:
    weights = np.array([[0.997, 0.003]])
    map = AttentionMap(weights, whole_words("ab"), whole_words("x"), axes=())
    assert map.reading(top=1) == "x <- a 1.00 (rest below 0.01)"


def test_a_row_whose_weight_was_all_left_out_is_not_empty() -> None:
    map = AttentionMap(np.array([[0.0, 1.0]]), whole_words(["a", "$"], ["$"]), whole_words("x"), axes=())
    assert map.without_special().reading() == "x <- (rest 1.00)"


def test_dropping_the_end_states_its_weight() -> None:
    map = tom_and_jerry().without_special()
    assert map.source.pieces == ("Tom", "chases", "Jerry", ".")
    assert map.target.pieces == ("汤姆", "追", "杰瑞", "。")
    assert map.left_out is not None
    np.testing.assert_allclose(map.left_out, [0, 0.02, 0.02, 0], atol=1e-7)
    assert map.note == "without </s> (mean weight 0.01)"
    assert map.without_special().note == map.note, "there is nothing to drop a second time"


@given(maps())
def test_no_weight_is_lost_by_leaving_out(map: AttentionMap) -> None:
    without = map.without_special()
    rows = [i for i, special in enumerate(map.target.special) if not special]
    left_out = 0 if without.left_out is None else without.left_out
    np.testing.assert_allclose(without.weights.sum(-1) + left_out, map.weights[..., rows, :].sum(-1), atol=1e-12)


@given(maps())
def test_merging_keeps_row_sums_in_the_mean_and_is_done_once(map: AttentionMap) -> None:
    merged = map.merged()
    sums = map.weights.sum(-1)
    expected = np.stack([sums[..., list(group)].mean(-1) for group in map.target.groups()], axis=-1)
    np.testing.assert_allclose(merged.weights.sum(-1), expected, atol=1e-12)
    np.testing.assert_allclose(merged.merged().weights, merged.weights)
    assert merged.merged().note == merged.note


@given(maps())
def test_merging_equals_its_definition(map: AttentionMap) -> None:
    merged = map.merged().weights
    for (t, rows), (s, columns) in itertools.product(enumerate(map.target.groups()), enumerate(map.source.groups())):
        block = map.weights[..., list(rows), :][..., list(columns)]
        np.testing.assert_allclose(merged[..., t, s], block.sum(-1).mean(-1), atol=1e-12)


def test_merged_words_are_spelled_as_in_the_text() -> None:
    tokens = Tokens(
        ("▁ch", "ases", "▁Jerry", "</s>"), (0, 0, 1, NO_WORD), "chases Jerry", ((0, 2), (2, 6), (6, 12), (12, 12))
    )
    merged = tokens.merged()
    assert merged.pieces == ("chases", "Jerry", "</s>")
    assert merged.offsets == ((0, 6), (6, 12), (12, 12))
    assert Tokens(("ch", "ases"), (0, 0)).merged().pieces == ("chases",)


def test_two_special_tokens_side_by_side_stay_two() -> None:
    assert Tokens(("<s>", "<en>", "a"), (NO_WORD, NO_WORD, 0)).groups() == ((0,), (1,), (2,))


@given(maps())
def test_selecting_and_averaging(map: AttentionMap) -> None:
    np.testing.assert_array_equal(map.select(layer=1, head=-1).matrix, map.weights[1, 2])
    np.testing.assert_array_equal(map.select(head=[0, 2]).weights, map.weights[:, [0, 2]])
    np.testing.assert_allclose(map.mean().matrix, map.weights.mean((0, 1)))
    np.testing.assert_allclose(map.mean("head").weights, map.weights.mean(1))
    np.testing.assert_allclose(map.select(layer=0).mean().matrix, map.mean("head").select(layer=0).matrix)
    assert [index for index, _ in map.panels()] == list(itertools.product(range(2), range(3)))
    for (layer, head), panel in map.panels():
        np.testing.assert_array_equal(panel.matrix, map.weights[layer, head])


def test_the_note_tells_what_was_chosen() -> None:
    map = AttentionMap(np.full((4, 8, 1, 1), 1.0), whole_words("a"), whole_words("b"), place="encoder.self")
    assert map.description == "encoder.self attention, predicting; 4 layers x 8 heads"
    chosen = map.select(layer=-1).mean("head")
    assert chosen.description == "encoder.self attention, predicting; layer 3; mean of 8 heads"


def test_half_floats_are_averaged_without_overflow_or_drift() -> None:
    weights = np.full((1, 4096, 1, 2), 0.5, dtype=np.float16)
    map = AttentionMap(weights, whole_words("ab"), whole_words("x"))
    assert map.mean().matrix.dtype == np.float16
    np.testing.assert_array_equal(map.mean().matrix, [[0.5, 0.5]])


def test_after_reading_a_row_belongs_to_the_token_just_read() -> None:
    map = tom_and_jerry()
    shifted = map.after_reading()
    assert shifted.target.pieces == ("汤姆", "追", "杰瑞", "。")
    np.testing.assert_array_equal(shifted.matrix, map.matrix[1:])
    assert shifted.convention == "reading"
    assert shifted.after_reading() is shifted


def test_entropy_in_nats() -> None:
    weights = np.array([[0.25, 0.25, 0.25, 0.25], [1, 0, 0, 0], [0, 0, 0, 0], [0.2, 0.2, 0, 0]])
    map = AttentionMap(weights, whole_words("abcd"), whole_words("wxyz"), axes=())
    np.testing.assert_allclose(map.entropy(), [math.log(4), 0, 0, math.log(2)])
    assert not np.signbit(map.entropy()).any()


def test_top_and_argmax_take_the_lowest_index_among_equals() -> None:
    weights = np.array([[0.2, 0.4, 0.0, 0.4], [0.0, 0.0, 0.0, 0.0]])
    map = AttentionMap(weights, whole_words("abcd"), whole_words("xy"), axes=())
    positions, values = map.top(3)
    np.testing.assert_array_equal(positions[0], [1, 3, 0])
    np.testing.assert_array_equal(values[0], [0.4, 0.4, 0.2])
    np.testing.assert_array_equal(map.argmax(), [1, -1])
    np.testing.assert_array_equal(map.support(), [3, 0])
    np.testing.assert_array_equal(map.support(above=0.3), [2, 0])
    assert map.top(9)[0].shape == (2, 4)


@given(maps())
def test_coverage_and_entropy_are_bounded(map: AttentionMap) -> None:
    np.testing.assert_allclose(map.coverage().sum(-1), map.weights.sum((-1, -2)), atol=1e-12)
    assert (map.entropy() >= 0).all()
    assert (map.entropy() <= math.log(len(map.source)) + 1e-12).all()


def test_links_count_the_tokens_of_the_text() -> None:
    source = whole_words(["<s>", "Tom", "chases", "</s>"], ["<s>", "</s>"])
    target = whole_words(["汤姆", "追", "了", "</s>"], ["</s>"])
    weights = np.array([[0.1, 0.8, 0.1, 0], [0.1, 0.3, 0.6, 0], [0, 0.1, 0.3, 0.6], [0, 0, 0.9, 0.1]])
    map = AttentionMap(weights, source, target, axes=())
    assert map.links() == {(0, 0), (1, 1)}, "了 looks at the end of the sentence, so at nothing in the text"
    assert map.without_special().links() == {(0, 0), (1, 1), (1, 2)}
    assert map.links("threshold", 0.3) == {(0, 0), (0, 1), (1, 1), (1, 2)}
    assert map.without_special().links("assignment") == {(0, 0), (1, 1)}


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: tom_and_jerry().select(layer=1), "no axis is named 'layer'; it has none left"),
        (lambda: grid().select(haed=1), "no axis is named 'haed'; did you mean 'head'?"),
        (lambda: grid().select(head=[0, 3]), "there is no head 3; they are numbered 0 to 2"),
        (lambda: grid().reading(), "2 layers x 3 heads: choose with select(layer=0, head=0) or average with mean()"),
        (lambda: tom_and_jerry().links("argmin"), "'argmin' is no method; did you mean 'argmax'?"),
        (lambda: tom_and_jerry().links("threshold", 0.0), "the threshold must be above 0, not 0.0"),
        (lambda: AttentionMap(np.ones((2, 2)), whole_words("ab"), whole_words("xy")), "weights have 2 dimensions"),
        (lambda: single(np.ones((1, 3))), "weights are 1 x 3, but there are 1 target and 2 source tokens"),
        (lambda: single(np.array([[0.5, np.nan]])), "weights must be finite and not negative"),
        (lambda: single(np.array([[0.5, -0.5]])), "weights must be finite and not negative"),
        (lambda: single(np.array([[0, 1]])), "weights are int64, not floating-point numbers"),
        (lambda: Tokens(("a", "b"), (0,)), "2 pieces but 1 word numbers"),
        (lambda: Tokens(("a", "b"), (1, 0)), "word numbers must not fall"),
        (lambda: Tokens(("a",), (0,), None, ((0, 1),)), "without the text"),
        (lambda: Tokens(("a",), (0,), "a", ((0, 2),)), "'a' covers characters 0 to 2 of a text of 1"),
    ],
)
def test_what_does_not_fit_is_said_in_one_line(make, message: str) -> None:
    with pytest.raises(RegardError) as caught:
        make()
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


def grid() -> AttentionMap:
    return AttentionMap(np.full((2, 3, 1, 2), 0.5), whole_words("ab"), whole_words("x"))


def single(weights: np.ndarray) -> AttentionMap:
    return AttentionMap(weights, whole_words("ab"), whole_words("x"), axes=())


def test_labels_show_what_cannot_be_seen() -> None:
    assert visible("") == "∅"
    assert visible("  ") == "␣␣"
    assert visible("\x1b[31mred") == "␛[31mred"
    assert visible("a\u202eb\x7f") == "a\ufffdb\ufffd"
    assert visible("ক্‌ষ") == "ক্‌ষ", "joiners belong to the spelling"


@given(st.text())
def test_a_label_never_steers_the_terminal(text: str) -> None:
    turning = set("\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069\u2028\u2029")
    assert visible(text)
    assert not set(visible(text)) & turning
    assert not set(visible(text)) & {chr(code) for code in [*range(32), *range(0x7F, 0xA0)]}


def test_axes_of_size_1_leave_nothing_to_choose() -> None:
    plain = tom_and_jerry()
    left_out = np.full(5, 0.25, np.float32)
    single = AttentionMap(
        plain.weights[None, None] * np.float32(0.75), plain.source, plain.target, left_out=left_out[None, None]
    )
    np.testing.assert_array_equal(single.matrix, plain.weights * np.float32(0.75))
    assert single.reading(1).splitlines()[0] == "汤姆 <- Tom 0.70 (rest 0.30)"
    assert single.links() == plain.links()
    assert single.description == plain.description
    assert single.argmax().shape == (1, 1, 5)
    two = AttentionMap(np.stack([plain.weights] * 2)[None], plain.source, plain.target)
    with pytest.raises(RegardError, match=r"has 1 layers x 2 heads: choose with select\(layer=0, head=0\)"):
        _ = two.matrix


def test_what_looked_at_nothing_is_not_linked() -> None:
    source, target = whole_words(["a", "b"]), whole_words(["x", "y", "z"])
    weights = np.array([[0.9, 0.05], [0.3, 0.1], [0.3, 0.3]])
    made = AttentionMap(weights, source, target, axes=())
    np.testing.assert_allclose(made.nothing(), [0.05, 0.6, 0.4])
    assert made.links() == {(0, 0)}
    # What was left out was something, and the other methods go by the weights alone.
    kept = AttentionMap(weights, source, target, axes=(), left_out=np.array([0.05, 0.5, 0.4]))
    np.testing.assert_allclose(kept.nothing(), [0, 0.1, 0], atol=1e-12)
    assert kept.links() == {(0, 0), (0, 1), (0, 2)}
    assert made.links("threshold", 0.3) == {(0, 0), (0, 1), (0, 2), (1, 2)}


def test_a_map_is_short_in_an_interpreter() -> None:
    assert repr(tom_and_jerry()) == "AttentionMap(cross attention, predicting; 5 target x 5 source tokens)"
    plain = tom_and_jerry()
    many = AttentionMap(np.zeros((2, 3, 5, 5)), plain.source, plain.target)
    assert repr(many) == "AttentionMap(cross attention, predicting; 2 layers x 3 heads; 5 target x 5 source tokens)"
