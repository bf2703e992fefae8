"""The batches of a training: made when they are asked for, or ahead in a thread where they are images or recordings."""

from __future__ import annotations

import time
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor

import numpy as np

from regard.data.collate import Batch
from regard.data.media import Images, Sounds
from regard.training.corpus import Corpus
from regard.training.validation import make_batch


class Feeder:
    """Batches of the training pairs.

    Each is a function of the seed, the epoch, and its examples' numbers, so that it does not matter when and where it
    is made. `seconds` is what making them took, of images and recordings.
    """

    def __init__(self, corpus: Corpus, seed: int, workers: int | None = None) -> None:
        self._corpus, self._seed = corpus, seed
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

    def _make(self, indices: Sequence[int], epoch: int) -> Batch:
        corpus = self._corpus
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
