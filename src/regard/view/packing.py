"""The weights of a map as a few small blocks of bytes, for a page that unpacks them.

A block holds some whole matrices of a map, one after the other, in one of three forms. All begin with two columns of
numbers, a number for each row of each matrix, as little-endian 32-bit floats: the row's *scale*, which is its largest
weight, and, where the map has weight that was left out, how much of it the row has. Then follow

- `exact`: each weight, row by row, as a little-endian 32-bit float;
- `dense`: one byte for each weight, row by row;
- `sparse`: how many bytes of each row are not 0; for each of them how many columns it lies behind the one before it
  (the first: behind column -1), less 1; then the bytes themselves. Counts and distances are written seven bits to a
  byte, the lowest first, the eighth bit set where another byte follows (LEB128).

A byte b stands for the weight `b * scale / 255`, which is off by at most 1/510 of the largest weight of its row; 0
stays exactly 0. A block is compressed by DEFLATE without a header (RFC 1951); the form of bytes that is then smaller is
taken. Maps are exact as long as a page has room for them: `EXACT` weights in all.
"""

from __future__ import annotations

import math
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from regard.maps import AttentionMap

Bytes = npt.NDArray[np.uint8]
Floats = npt.NDArray[np.floating[Any]]

#: A block takes as many matrices as have about so many weights: enough to compress well, few enough to unpack quickly.
_BLOCK = 1 << 20
#: So many weights of a page are kept exactly, about a megabyte.
EXACT = 1 << 18
#: Below this share of weights that are not 0 the sparse form is tried.
_SPARSE = 0.5


@dataclass(frozen=True)
class Block:
    """Some matrices of a map: how many, in which form, and their compressed bytes."""

    matrices: int
    form: Literal["exact", "dense", "sparse"]
    data: bytes


def packed(map: AttentionMap, exact: bool = False) -> Iterator[Block]:
    """The blocks of a map, in the order of its matrices (the last axis fastest), with its weights exact or in bytes."""
    *axes, rows, columns = map.weights.shape
    weights = map.weights.reshape(math.prod(axes), rows, columns)
    left_out = None if map.left_out is None else map.left_out.reshape(math.prod(axes), rows)
    step = max(_BLOCK // max(rows * columns, 1), 1)
    for start in range(0, len(weights), step):
        some = weights[start : start + step]
        yield _block(some, None if left_out is None else left_out[start : start + step], exact)


def _block(weights: Floats, left_out: Floats | None, exact: bool) -> Block:
    scales, codes = _quantised(weights)
    head = scales.astype("<f4").tobytes()
    if left_out is not None:
        head += _single(left_out).astype("<f4").tobytes()
    if exact:
        return Block(len(weights), "exact", deflated(head + _single(weights).astype("<f4").tobytes()))
    dense = deflated(head + codes.tobytes())
    if np.count_nonzero(codes) < _SPARSE * codes.size:
        sparse = deflated(head + _sparse(codes))
        if len(sparse) < len(dense):
            return Block(len(weights), "sparse", sparse)
    return Block(len(weights), "dense", dense)


def _quantised(weights: Floats) -> tuple[npt.NDArray[np.float32], Bytes]:
    """The largest weight of each row, and each weight in 255ths of it."""
    scales = _single(weights.max(axis=-1, initial=0.0))
    # A row may be so light that single precision has only 0 for its scale; it is then a row without any weight.
    steps = np.divide(255.0, scales, out=np.zeros(scales.shape), where=scales > 0, dtype=np.float64)
    codes = np.rint(weights * steps[..., None])
    return scales, np.minimum(codes, 255).astype(np.uint8)


def _single(numbers: Floats) -> npt.NDArray[np.float32]:
    return np.minimum(numbers, np.finfo(np.float32).max).astype(np.float32)


def _sparse(codes: Bytes) -> bytes:
    columns = codes.shape[-1]
    flat = codes.reshape(-1, columns)
    row, column = np.nonzero(flat)
    counts = np.count_nonzero(flat, axis=-1)
    before = np.concatenate([[-1], column[:-1]])
    first = np.concatenate([[True], row[1:] != row[:-1]])[: len(row)]
    gaps = column - np.where(first, -1, before[: len(row)]) - 1
    return _varints(counts) + _varints(gaps) + flat[row, column].tobytes()


def _varints(numbers: npt.NDArray[np.integer[Any]]) -> bytes:
    """Numbers from 0 to 2^35, seven bits to a byte."""
    sevens = (numbers[:, None] >> np.arange(0, 35, 7)) & 0x7F
    # A byte is written as far as the highest that is not 0, and always once.
    needed = np.cumsum(sevens[:, ::-1] > 0, axis=1)[:, ::-1] > 0
    needed[:, 0] = True
    more = np.concatenate([needed[:, 1:], np.zeros((len(numbers), 1), dtype=bool)], axis=1)
    result: Bytes = (sevens | (more << 7)).astype(np.uint8)
    return result[needed].tobytes()


def deflated(data: bytes) -> bytes:
    """Compressed by DEFLATE, without a header."""
    packer = zlib.compressobj(6, zlib.DEFLATED, -zlib.MAX_WBITS)
    return packer.compress(data) + packer.flush()
