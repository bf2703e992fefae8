"""Bad input: one line that names the argument, what came, and what was expected."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from attending import KERNELS, three

from regard.attention import (
    additive,
    alibi,
    attend,
    bilinear,
    causal,
    cosine,
    distance,
    entmax,
    explain,
    gaussian,
    lengths,
    location,
    relative,
    softmax,
    sparsemax,
    top_k,
    window,
)

_Q, _K, _V = three(2, 3)
_BAD: list[tuple[dict[str, Any], str]] = [
    # query, key, value
    ({"query": _Q[0, 0, 0]}, r"query: came .*\(4,\); expected a floating-point tensor"),
    ({"query": _Q.long()}, r"query: came a torch.int64"),
    ({"query": [1.0]}, r"query: came .*list"),
    ({"key": _K.bool()}, r"key: came a torch.bool"),
    ({"key": _K.float()}, r"key: came as torch.float32 .* expected the query's torch.float64"),
    ({"value": _V[..., :6, :]}, r"value: came with 6 values; expected one for each of the 7 keys"),
    ({"key": _K[..., :0, :], "value": _V[..., :0, :]}, r"key: came with no keys"),
    ({"key": _K[..., :3]}, r"query: came with 4 dimensions; expected the 3"),
    ({"key": _K[:, :2]}, r"key: the leading dimensions .* do not broadcast"),
    ({"value": torch.cat([_V, _V])}, r"key: the leading dimensions .* do not broadcast"),
    ({"query": _Q / 0 * 0, "check": True}, r"query: holds NaN"),
    ({"key": _K / 0 * 0, "check": True}, r"key: holds NaN"),
    ({"value": _V / 0 * 0, "check": True}, r"value: holds NaN"),
    # score
    ({"score": "scaled_dott"}, r"score: unknown name 'scaled_dott'; did you mean 'scaled_dot'\?"),
    ({"score": "xyzzy"}, r"score: unknown name 'xyzzy'; known: dot, "),
    ({"score": "scaled_dot:2"}, r"score: scaled_dot takes no number"),
    ({"score": "additive"}, r"score: 'additive' has weights of its own; .*additive\(weight\)"),
    ({"score": "coverage"}, r"score: 'coverage' remembers previous weights"),
    ({"score": "cosine:hot"}, r"score: cosine takes a number after the colon, came 'hot'"),
    ({"score": "cosine:0"}, r"score: cosine needs a temperature above 0, came 0.0"),
    ({"score": cosine(-1.0)}, r"score: cosine needs a temperature above 0, came -1.0"),
    ({"score": distance(0.0)}, r"score: distance needs a bandwidth above 0"),
    ({"score": 3}, r"score: came int; expected a name"),
    ({"score": additive}, r"score: came the class additive; expected"),
    ({"score": bilinear(_Q[0, 0, :3])}, r"score: bilinear came with a tensor of shape \(3, 4\); expected \(...,"),
    ({"score": bilinear(torch.ones(2, 4, 4).double())}, r"score: bilinear came .*expected leading dimensions"),
    ({"score": additive(torch.ones(3).double())}, r"score: additive came .*\(3,\); expected \(..., 4\)"),
    ({"score": additive(torch.ones(2, 4).double())}, r"score: came .*\(2, 4\); expected .*broadcast over \(2, 3\)"),
    ({"score": location(torch.ones(6, 4).double())}, r"score: location came .*at least 7 places"),
    ({"score": lambda q, k: q.sum(-1)}, r"score: the function gave a tensor of shape \(6, 5\) .*expected \(6, 5, 7\)"),
    ({"score": lambda q, k: (k @ q.mT)}, r"score: the function gave a tensor of shape \(6, 7, 5\)"),
    ({"score": lambda q, k: None}, r"score: the function gave NoneType"),
    # normalizer
    ({"normalizer": "softmx"}, r"normalizer: unknown name 'softmx'; did you mean 'softmax'\?"),
    ({"normalizer": "entmax15:2"}, r"normalizer: entmax15 takes no number"),
    ({"normalizer": "top_k"}, r"normalizer: top_k needs a number after a colon"),
    ({"normalizer": "top_k:2.5"}, r"normalizer: top_k takes a whole number"),
    ({"normalizer": "top_k:0"}, r"normalizer: top_k needs a whole number k >= 1, came 0"),
    ({"normalizer": top_k(-3)}, r"normalizer: top_k needs a whole number k >= 1, came -3"),
    ({"normalizer": "entmax:1"}, r"normalizer: entmax needs alpha > 1, came 1.0"),
    ({"normalizer": entmax(float("nan"))}, r"normalizer: entmax needs alpha > 1"),
    ({"normalizer": "threshold:0"}, r"normalizer: threshold needs 0 < p <= 1, came 0.0"),
    ({"normalizer": "threshold:1.5"}, r"normalizer: threshold needs 0 < p <= 1, came 1.5"),
    ({"normalizer": "softmax:0"}, r"normalizer: softmax needs a temperature above 0, came 0.0"),
    ({"normalizer": softmax(-2.0)}, r"normalizer: softmax needs a temperature above 0, came -2.0"),
    ({"normalizer": sparsemax}, r"normalizer: came function; expected a name"),
    ({"normalizer": softmax}, r"normalizer: came the class softmax; expected"),
    ({"normalizer": softmax(sink=torch.zeros(2))}, r"normalizer: came .*\(2,\); expected .*broadcast over \(2, 3\)"),
    ({"normalizer": entmax(torch.ones(2, 2) + 1)}, r"normalizer: came .*\(2, 2\); expected .*broadcast over \(2, 3\)"),
    # mask, filter, bias
    ({"mask": torch.ones(5, 7).long()}, r"mask: came a tensor of torch.int64; expected torch.bool"),
    ({"mask": torch.ones(7, 5) > 0}, r"mask: came with shape \(7, 5\); expected one .* over \(2, 3, 5, 7\)"),
    ({"mask": torch.zeros(2, 5, 7)}, r"mask: came with shape \(2, 5, 7\)"),
    ({"mask": "causal"}, r"mask: came str; expected a tensor"),
    ({"mask": [torch.ones(7) > 0, causal]}, r"mask: came the class causal; expected"),
    ({"mask": lengths(torch.tensor([3, 4]))}, r"mask: came .*\(2,\); expected .*broadcast over \(2, 3\)"),
    ({"mask": lengths(torch.ones(2, 1))}, r"mask: lengths came as torch.float32; expected whole numbers"),
    ({"mask": lengths(torch.ones(2, 7) > 0)}, r"mask: lengths came as torch.bool"),
    ({"mask": window(-1)}, r"mask: window needs a width of 0 or more, came -1"),
    ({"mask": window(1, torch.zeros(2, 5))}, r"mask: came .*\(2, 5\); expected .*broadcast over \(2, 3\)"),
    ({"mask": window(1, torch.zeros(4))}, r"mask: window came with 4 centres; expected one for each of the 5 queries"),
    ({"mask": gaussian(torch.zeros(4), 1.0)}, r"mask: gaussian came with 4 centres"),
    ({"mask": gaussian(torch.zeros(5), torch.ones(3))}, r"mask: gaussian came with sigma of shape \(3,\)"),
    ({"filter": 3}, r"filter: came int; expected a function of Scored"),
    ({"filter": lambda seen: seen.scores}, r"filter: gave torch.float64 of shape \(6, 5, 7\); expected torch.bool"),
    ({"filter": lambda seen: torch.ones(7, 5) > 0}, r"filter: gave torch.bool of shape \(7, 5\); expected"),
    ({"filter": lambda seen: True}, r"filter: gave bool; expected torch.bool"),
    ({"bias": torch.ones(5, 6)}, r"bias: came with shape \(5, 6\); expected one that broadcasts"),
    ({"bias": torch.ones(5, 7) > 0}, r"bias: came a tensor of torch.bool; expected a floating-point tensor"),
    ({"bias": 1.0}, r"bias: came float; expected"),
    # position
    ({"position": "rotry"}, r"position: unknown name 'rotry'; did you mean 'rotary'\?"),
    ({"position": 3}, r"position: came int; expected a name"),
    ({"position": alibi(torch.ones(2))}, r"position: came .*broadcast over \(2, 3\)"),
    ({"position": relative(torch.ones(2, 8))}, r"position: came .*broadcast over \(2, 3\)"),
    ({"position": relative(torch.ones(3, 3))}, r"position: relative came with 3 buckets"),
    ({"position": relative(torch.ones(3, 32), furthest=8)}, r"position: relative came with 32 buckets and furthest 8"),
    ({"query": _Q[..., :3], "key": _K[..., :3], "position": "rotary"}, r"position: rotary needs an even dimension"),
    # the rest
    ({"dropout": 1.0}, r"dropout: came 1.0; expected a probability, at least 0 and under 1"),
    ({"dropout": -0.1}, r"dropout: came -0.1"),
    ({"dropout": float("nan")}, r"dropout: came nan"),
    ({"kernel": "fussed"}, r"kernel: unknown name 'fussed'; did you mean 'fused'\?"),
    ({"kernel": "fused", "normalizer": "sparsemax"}, r"kernel: fused can't run here: the normalizer is entmax"),
    ({"observe": "top"}, r"observe: came str; expected Observe\(...\)"),
]  # fmt: skip


@pytest.mark.parametrize(("arguments", "message"), _BAD, ids=[message[:45] for _, message in _BAD])
def test_bad_input_is_named(arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=f"^{message}") as error:
        attend(**{"query": _Q, "key": _K, "value": _V, **arguments})
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("kernel", KERNELS)
@pytest.mark.parametrize("name", ["score", "filter"])
def test_what_functions_give_is_checked_by_every_kernel(name: str, kernel: str) -> None:
    with pytest.raises(ValueError, match=f"^{name}: "):
        attend(_Q, _K, _V, kernel=kernel, **{name: lambda *_: torch.zeros(2, 2)})


def test_an_explanation_checks_its_arguments_too() -> None:
    with pytest.raises(ValueError, match=r"normalizer: unknown name 'softmx'"):
        explain(_Q, _K, _V, normalizer="softmx")


def test_nan_is_looked_for_only_when_asked() -> None:
    # The fused kernel makes 0 of a row of NaN on some processors.
    context, _ = attend(_Q / 0 * 0, _K, _V, kernel="dense")
    assert bool(context.isnan().all())
