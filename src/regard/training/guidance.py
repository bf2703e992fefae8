"""Word alignments that teach a model where to look: their file, and what it means for the tokens of a batch."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import product
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch
from numpy.typing import NDArray

from regard.data.collate import Batch
from regard.data.encoding import Encoding
from regard.data.examples import Examples
from regard.data.reading import Pair, sizes_in_words
from regard.data.report import ReadReport
from regard.data.text import spans_of_words
from regard.data.tokenisers import Tokeniser
from regard.evaluation import read_links
from regard.maps import Links, words_at
from regard.model.guided import Guide, guide_place
from regard.settings import Settings, Words

if TYPE_CHECKING:
    from regard.training.corpus import Corpus

TokenLinks = NDArray[np.int32]
"""Of one pair: (links, 2), a target token and a source token each."""


def read_guidance(path: str | Path, pairs: Sequence[Pair], report: ReadReport, words: Words) -> dict[int, Links]:
    """The links of each pair, by the number of its line, from a file in Pharaoh format.

    Line i of the file is of the i-th line of the pairs (below their header), whether that line gave a pair or not.
    Raises RegardError, with file and line, for what is no link or points outside of its sentences, and where there are
    not as many lines as in the file of the pairs.
    """
    links = read_links(path, sizes_in_words(pairs, report, words))
    return {pair.line: links[pair.line - report.first] for pair in pairs}


def token_links(
    examples: Examples, links: Mapping[int, Links], source: Tokeniser, target: Tokeniser, words: Words
) -> tuple[TokenLinks, ...]:
    """For each example the links between all pieces of linked words."""
    return tuple(
        _of_tokens(source.encode(pair.source), target.encode(pair.target), links[pair.line], words)
        for pair in examples.pairs
    )


def _of_tokens(source: Encoding, target: Encoding, links: Links, words: Words) -> TokenLinks:
    sources, targets = (_pieces_of_words(encoding, words) for encoding in (source, target))
    found = [
        (into, origin) for s, t in sorted(links) for into, origin in product(targets.get(t, ()), sources.get(s, ()))
    ]
    return np.array(found, np.int32).reshape(-1, 2)


def _pieces_of_words(encoding: Encoding, words: Words) -> dict[int, list[int]]:
    found: dict[int, list[int]] = {}
    for piece, word in enumerate(words_at(spans_of_words(encoding.text, words), encoding.offsets)):
        found.setdefault(word, []).append(piece)
    return found


def guide_of(corpus: Corpus, settings: Settings, batch: Batch) -> Guide | None:
    """Where the attention of a batch of the training pairs should look; None where no links were given.

    Each target token with links looks evenly at the source tokens that it is linked with: in the row of the step that
    predicts it, or with `training.guided_reading` in the next one, of the step that has read it. With
    `training.guided_unlinked` nothing, all other words of a pair with links should look at nothing.
    """
    if corpus.guidance is None:
        return None
    chosen = settings.training
    gold = torch.zeros(*batch.target_out.shape, batch.source.shape[1])
    nothing = torch.zeros(batch.target_out.shape, dtype=torch.bool) if chosen.guided_unlinked == "nothing" else None
    for row, index in enumerate(batch.indices.tolist()):
        places = torch.from_numpy(corpus.guidance[index]).long()
        gold[row, places[:, 0] + chosen.guided_reading, places[:, 1]] = 1.0
        if nothing is not None and len(places):
            words = int(batch.target_lengths[row]) - 1  # its end is no word
            nothing[row, chosen.guided_reading : words + chosen.guided_reading] = True
            nothing[row] &= gold[row].sum(-1) == 0
    gold /= gold.sum(-1, keepdim=True).clamp_min(1.0)
    layer, head = guide_place(settings.model, chosen.guided_layer, chosen.guided_head)
    device = batch.source.device
    return Guide(gold.to(device), chosen.guided_weight, layer, head, None if nothing is None else nothing.to(device))
