"""The batches of a training: made when they are asked for, or ahead in a thread where they are images or recordings."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

import numpy as np

from regard.data.collate import Batch, side_by_side, with_targets
from regard.data.copying import copying_of
from regard.data.examples import Examples
from regard.data.media import Images, Sounds
from regard.data.merges import Dropout
from regard.settings import Settings
from regard.training.corpus import Corpus
from regard.training.validation import make_batch

Example = tuple[Any, Any]
"""The source and the target of an example, as `Examples` has them."""
Cut = Callable[[Examples, int, int, int], Example]
"""Makes an example of its number, the seed and the epoch."""


class Feeder:
    """Batches of the training pairs.

    Each is a function of the seed, the epoch, and its examples' numbers, so that it does not matter when and where it
    is made. `seconds` is what making them took, of images and recordings. With `cut`, texts are cut anew for every
    epoch.
    """

    def __init__(self, corpus: Corpus, seed: int, workers: int | None = None, cut: Cut | None = None) -> None:
        self._corpus, self._seed, self._cut = corpus, seed, cut
        self._examples: dict[tuple[int, int], Example] = {}
        media = isinstance(corpus.source, (Images, Sounds))
        self._pool = ThreadPoolExecutor(workers or 1) if media else None
        self._coming: dict[tuple[int, ...], Future[Batch]] = {}
        self.seconds = 0.0

    def ahead(self, batches: Sequence[Sequence[int]], epoch: int) -> None:
        """Begin to make batches that will be asked for soon."""
        if self._pool is None:
            return
        for batch in batches:
            key = (epoch, *batch)
            if key not in self._coming:
                self._coming[key] = self._pool.submit(self._make, batch, epoch)

    def take(self, indices: Sequence[int], epoch: int) -> Batch:
        """A batch: one that was made ahead, or a new one."""
        coming = self._coming.pop((epoch, *indices), None)
        return self._make(indices, epoch) if coming is None else coming.result()

    def target_tokens(self, batches: Sequence[Sequence[int]], epoch: int) -> int:
        """The tokens of the targets of an update, marks of the end among them."""
        self._examples.clear()  # those of the update before
        return sum(len(self._example(index, epoch)[1]) + 1 for batch in batches for index in batch)

    def _example(self, index: int, epoch: int) -> Example:
        if self._cut is None:
            return self._corpus.train.sources[index], self._corpus.train.targets[index]
        if (epoch, index) not in self._examples:
            self._examples[epoch, index] = self._cut(self._corpus.train, index, self._seed, epoch)
        return self._examples[epoch, index]

    def _make(self, indices: Sequence[int], epoch: int) -> Batch:
        corpus = self._corpus
        if self._cut is not None:
            found = [self._example(index, epoch) for index in indices]
            side = side_by_side([source for source, _ in found], corpus.source)
            target = corpus.target
            targets = {index: row for index, (_, row) in zip(indices, found, strict=True)}
            return with_targets(*side, targets, indices, target_pad=target.pad, bos=target.bos, eos=target.eos)
        if self._pool is None:
            return make_batch(corpus.train, indices, corpus.source, corpus.target)
        begin = time.thread_time()
        draws = [np.random.default_rng((self._seed, epoch, index)) for index in indices]
        made = make_batch(corpus.train, indices, corpus.source, corpus.target, draws)
        self.seconds += time.thread_time() - begin
        return made

    def close(self) -> None:
        """Give up what was begun."""
        self._coming.clear()
        if self._pool is not None:
            self._pool.shutdown(wait=True, cancel_futures=True)


def cut_of(corpus: Corpus, settings: Settings) -> Cut | None:
    """How texts are cut anew for every epoch, where `data.source_dropout` or `data.target_dropout` say so.

    Where that would make more tokens than the model has places for, a text stays as it is.
    """
    data, model = settings.data, settings.model
    if not (data.source_dropout or data.target_dropout):
        return None
    assert not isinstance(corpus.source, (Images, Sounds))
    source = Dropout(corpus.source, data.source_dropout, 0)
    target = Dropout(corpus.target, data.target_dropout, 1)
    copying = copying_of(model.copy, corpus.source, corpus.target)

    def cut(examples: Examples, index: int, seed: int, epoch: int) -> Example:
        pair = examples.pairs[index]
        read, said = (
            side.encode(text, seed, epoch, index) for side, text in ((source, pair.source), (target, pair.target))
        )
        if len(read) > (model.longest_source or len(read)) or len(said) > (model.longest_target or len(said)):
            return examples.sources[index], examples.targets[index]
        if copying is None:
            return np.array(read.ids, np.int32), np.array(said.ids, np.int32)
        return copying.source_rows(read), np.array(copying.target_ids(said, read), np.int32)

    return cut
