"""`Predictor`: a model with its tokenisers and settings."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, overload

import numpy as np
import torch
from torch import Tensor, nn

from regard.configuration import checked, with_given
from regard.data.collate import side_by_side
from regard.data.copying import copying_of
from regard.data.encoding import Encoding
from regard.data.features import FeaturedTokeniser, check_some, joined, parted, text_of
from regard.data.features import given as given_source
from regard.data.media import Images, Item, Sounds, Source, encode, name_of
from regard.data.text import normalise
from regard.data.tokenisers import CHARACTERS, Tokeniser
from regard.errors import RegardError, did_you_mean, shown
from regard.folder import FACTS, WEIGHTS, Facts, load_facts, load_settings, load_sides, load_weights, weight_shapes
from regard.maps import AttentionMap, Tokens
from regard.model import EncoderDecoder, Hypothesis, search
from regard.model.contracts import POSTERIOR
from regard.model.streaming import check_streaming, stream
from regard.predictor.answers import Asked, answer, no_answer, with_copied
from regard.predictor.building import check_fit, check_shown, device_of, make_model, outline
from regard.predictor.forcing import Likelihood, force, likelihood_of
from regard.predictor.given import clean, pairs_of, sources_of, texts_of
from regard.predictor.intervention import between, cross_attentions, replacement
from regard.predictor.labels import resurfaced, said_tokens, shown_map, source_tokens
from regard.predictor.pieces import pieces_of, put_together
from regard.predictor.prediction import Prediction, Spoken
from regard.predictor.unknown import dictionary_of
from regard.settings import Medium, SearchSettings, Settings

_TIMES_LONGER = 20
_MOST_PLACES = 1_000_000
_NO_NUMBERS = np.zeros(0, np.uint8)
WEIGHTS_OF = {"prior": "cross", POSTERIOR: POSTERIOR}
"""The weights of given targets by name, and the place where the model has them."""


class Predictor:
    """A trained model, ready to predict.

    Args:
        model: the encoder-decoder; it is put into evaluation mode when it predicts.
        source: the tokeniser of its texts, or what reads its images or recordings.
        target: the tokeniser of what it says.
        settings: of the model; those of the search are the defaults of `predict`.
        facts: what its training left behind.
    """

    def __init__(
        self, model: EncoderDecoder, source: Source, target: Tokeniser, settings: Settings, facts: Facts
    ) -> None:
        self.model, self.source, self.target = model, source, target
        self.settings, self.facts = settings, facts
        self.copying = copying_of(settings.model.copy, source, target)

    @classmethod
    def load(cls, folder: str | Path, device: str = "auto", stem: nn.Module | None = None) -> Predictor:
        """The model of a folder. Nothing in it is executed.

        A model that was trained with a torch module as its `stem` needs one like it again, which is given the weights
        of the folder.

        Raises RegardError: a file that is missing, damaged or of a newer version, no such device.
        """
        folder = Path(folder)
        settings, facts = load_settings(folder), load_facts(folder)
        source, target = load_sides(folder, settings)
        # The file's size bounds the model's only after both are known to fit.
        check_fit(outline(settings, source, target, stem), weight_shapes(folder / WEIGHTS), folder / WEIGHTS)
        model = make_model(settings, source, target, stem)
        model.load_state_dict(load_weights(folder / WEIGHTS))
        check_shown(model, facts, folder / FACTS)
        return cls(model.to(device_of(device)).eval(), source, target, settings, facts)

    def __repr__(self) -> str:
        """Short, for an interpreter: what it reads, how it is made, how large it is, and where."""
        model, parameters = self.settings.model, sum(each.numel() for each in self.model.parameters())
        kinds = f"{model.encoder.kind} encoder, {model.decoder.kind} decoder, context {model.context}"
        return f"Predictor({self.medium} to text, {kinds}, {parameters:,} parameters, on {self.device})"

    @property
    def device(self) -> torch.device:
        """Where the model is."""
        return next(self.model.parameters()).device

    @property
    def has_attention(self) -> bool:
        """Whether the model attends to the source; with a fixed context it does not."""
        return bool(cross_attentions(self.model))

    @property
    def medium(self) -> Medium:
        """What this model predicts from: text, image or sound."""
        return self.source.medium if isinstance(self.source, (Images, Sounds)) else "text"

    @overload
    def predict(self, sources: str, **asked: Any) -> Prediction: ...

    @overload
    def predict(self, sources: list[Any] | tuple[str, ...], **asked: Any) -> list[Prediction]: ...

    @overload
    def predict(self, sources: Any, **asked: Any) -> Any: ...

    def predict(
        self,
        sources: Any,
        *,
        prefix: str | Sequence[str] | None = None,
        replace_unknown: bool | str | Path | Mapping[str, str] = False,
        attention: Any = None,
        **search: Any,
    ) -> Prediction | list[Prediction]:
        """The best output for each source, in their order.

        Args:
            sources: one text, or several. For a model that was trained with features: a pair (text, features), or a
                text with them after a tab, or a list of such. For a model of images or recordings: a path, bytes, a
                file object, or an array (an image's (H, W) or (H, W, 3); a recording's as a pair (samples, rate)), or a
                list of such. Of several, one that can't be read gets an empty prediction whose `note` says why.
            prefix: what outputs begin with, whatever the model would say: one text for all, or one for each source
                (empty: nothing is given). It counts and is in the map as if it had been predicted. With subwords it
                should end where a word does; with characters a space at its end is a part of it.
            replace_unknown: put the source word that weighs most in the place of each unknown word of an output (Luong
                et al. 2015b); or what a dictionary, or the file of one (word TAB word), has for that word (Jean et al.
                2015). Which they were is in `Prediction.replaced`.
            attention: weights (target tokens, source tokens), or a map of one matrix over the same source pieces, to
                use instead of the model's own at every step, for all layers and heads; one row (source tokens) is used
                at every step; a row of nan leaves the model's own. For a single source.
            search: settings of the search by name: beam, n_best, length_penalty, ...

        Raises RegardError for settings that there are not, for weights that do not fit the source, for prefixes that
        are not as many as the sources, for unknown words to be replaced without attention or from what is no text, and
        for a single image or recording that can't be read.
        """
        settings = with_given(self.settings.search, checked(search, "predict", SearchSettings))
        # Whoever asks for more outputs than the beam has wants them all the same.
        if settings.n_best > settings.beam:
            settings = with_given(settings, {"beam": settings.n_best})
        listed, single = sources_of(self.source, sources)
        if attention is not None and not single:
            raise RegardError("predict: attention replaces the weights of one source; give a single one")
        check_some(self.source, listed)
        asked = self._asked(listed, prefix, replace_unknown)
        encodings = self._encoded(listed, single)
        piece = settings.piece if attention is None else None
        cut = [pieces_of(self.source, encoding, piece) for encoding in encodings]
        parts = [
            (part, one if not number else replace(one, prefix=None))  # the first piece begins the output
            for pieces, one in zip(cut, asked, strict=True)
            for number, part in enumerate(pieces)
        ]
        found = iter(self._predicted(parts, settings, attention))
        predictions = [put_together([next(found) for _ in parts]) for parts in cut]
        return predictions[0] if single else predictions

    def stream(self, chunks: Iterable[str]) -> Iterator[Spoken]:
        """Predict while the source arrives, chunk by chunk: each target token leaves as soon as its place is chosen.

        What leaves is together the greedy prediction (`predict` with a beam of 1) of all chunks one after the other.
        A chunk is cut into tokens by itself, so with a tokeniser of characters it may be any part of the text, with one
        of subwords it should be words.

        For models with the context `online` and an encoder of one direction. Raises RegardError for others.
        """
        check_streaming(self.settings.model)
        return self._stream(chunks)

    def _stream(self, chunks: Iterable[str]) -> Iterator[Spoken]:
        tokens = (number for chunk in chunks for number in self.source.encode(chunk).ids)  # type: ignore[union-attr]
        said: list[int] = []
        text = ""
        for left in stream(self.model, tokens, self.facts.longest_output):
            said.append(left.token)
            before, text = text, self.target.decode(said)
            new = text[len(before) :] if text.startswith(before) else text
            yield Spoken(new, text, left.log_prob, left.place, left.arrived)

    def align(
        self, sources: Sequence[Any], targets: Sequence[str], weights: str = "prior"
    ) -> list[AttentionMap | None]:
        """What the model attends to while it is made to say given targets (forced decoding).

        A map of all layers and heads for each pair; None for pairs with a side that is empty, longer than what is
        predicted, or can't be read, and without attention.

        Args:
            sources, targets: the pairs.
            weights: `prior`, those that each token was predicted with; or `posterior`, where it came from given the
                whole target, which models with the contexts marginal and monotonic know; of models that copy, how much
                of each token was copied from where.

        Raises RegardError for a posterior that the model does not have, and where there are not as many targets as
        sources.
        """
        sources, targets = pairs_of(self.source, sources, targets, "align")
        if weights not in WEIGHTS_OF:
            raise RegardError(f"align: weights {shown(weights)}{did_you_mean(weights, list(WEIGHTS_OF))}")
        if weights == POSTERIOR and not (self.settings.model.mixes or self.copying):
            raise RegardError(
                f"align: posterior weights are known to models with model.context marginal or monotonic, or with "
                f"model.copy, and this one has {self.settings.model.context}"
            )
        place = WEIGHTS_OF[weights]
        if not self.has_attention:
            return [None] * len(sources)
        return [
            None
            if pair is None
            else self.map_of(pair.weights, pair.source, said_tokens(pair.target, self.target), place)
            for pair in force(self, sources, targets, place)
        ]

    def likelihood(self, sources: Sequence[Any], targets: Sequence[str]) -> list[Likelihood | None]:
        """How probable the model finds given targets: log p(target | source), and that of each token.

        The lowest of a corpus are mostly its errors: a target that does not belong to its source, or is mistyped. None
        for pairs with a side that is empty, longer than what is predicted, or can't be read.

        Raises RegardError where there are not as many targets as sources.
        """
        sources, targets = pairs_of(self.source, sources, targets, "likelihood")
        end = self.target.vocabulary[self.target.eos]
        return [None if pair is None else likelihood_of(pair, end) for pair in force(self, sources, targets, None)]

    def encode(self, source: Any) -> Encoding | Item:
        """A text in the model's tokens, or an image or a recording that was read. Raises RegardError."""
        if isinstance(self.source, (Images, Sounds)):
            return encode(self.source, source)
        if isinstance(self.source, FeaturedTokeniser):
            text, features = parted(given_source(source))
            return self.source.encode(clean(text) if features is None else joined(clean(text), clean(features)))
        return self.source.encode(clean(source))

    def side_by_side(self, encodings: Sequence[Encoding | Item]) -> tuple[Tensor, Tensor]:
        """What the model is given of sources, padded, and their sizes."""
        rows: list[Any] = [encoding if isinstance(encoding, Item) else encoding.ids for encoding in encodings]
        if self.copying is not None:
            rows = [self.copying.source_rows(encoding) for encoding in encodings]  # type: ignore[arg-type]
        return side_by_side(rows, self.source)

    def trace(self, tokens: Sequence[int], source: Encoding | Item) -> Encoding:
        """The text of predicted tokens, what was copied from the source among them, and the place of each in it."""
        if self.copying is None or not isinstance(source, Encoding):
            return self.target.trace(tokens)
        traced = self.target.trace(self.copying.plain(tokens))
        return replace(resurfaced(traced, self.copying.surfaces(tokens, source)), ids=tuple(tokens))

    def as_copied(self, target: Encoding, source: Encoding | Item) -> Encoding:
        """A given target, of which what the model does not know may be copied from its source."""
        if self.copying is None or not isinstance(source, Encoding):
            return target
        return replace(target, ids=self.copying.target_ids(target, source))

    def labels(self, source: Encoding | Item) -> Tokens:
        """The names of a source's places: its tokens, the rows and columns of an image, or seconds."""
        if isinstance(source, Encoding):
            return source_tokens(source)
        assert isinstance(self.source, (Images, Sounds))
        return self.source.tokens(source)

    def shown(self, every: AttentionMap, reading: bool | None = None) -> AttentionMap:
        """The one matrix of a map that is shown to people: that of the layer and head chosen after training.

        With `reading`, the row of a token is that of the step which has read it, else of the one that predicts it;
        None: as links have guided the model (`training.guided_reading`).
        """
        return shown_map(every, self.facts, self.settings.training.guided_reading if reading is None else reading)

    def encodings(self, sources: Sequence[Any]) -> list[Encoding | Item]:
        """Several sources as `encode` makes them; a file that can't be read is an item without places."""
        sources = list(map(given_source, sources))
        check_some(self.source, sources)
        return self._encoded(sources, False)

    def encode_target(self, text: str) -> Encoding:
        """A target in the model's tokens."""
        return self.target.encode(clean(text))

    def can_read(self, source: Encoding | Item, settings: SearchSettings | None = None) -> bool:
        """Whether something can be predicted from a source: it has places, and no more than the model knows."""
        known = not isinstance(source, Item) or self.settings.model.knows(source.layout)
        return known and 0 < len(source) <= self.longest_source(settings)

    def longest_source(self, settings: SearchSettings | None = None) -> int:
        """The most tokens of a text that is predicted from: far more would take hours, and the model knows nothing of
        such lengths."""
        settings = settings or self.settings.search
        most = settings.max_source or _TIMES_LONGER * self.settings.data.max_source_tokens
        if self.medium != "text" and settings.max_source is None:  # of which length is no question of tokens
            most = _MOST_PLACES
        places = self.settings.model.longest_source
        return most if places is None else min(most, places)

    @property
    def longest_said(self) -> int:
        """The most tokens of a target that the model is made to say."""
        most, places = _TIMES_LONGER * self.settings.data.max_target_tokens, self.settings.model.longest_target
        return most if places is None else min(most, places)

    def map_of(self, weights: Any, source: Encoding | Item, target: Tokens, place: str = "cross") -> AttentionMap:
        """The map of all layers and heads, of `weights` (layers, heads, target tokens, places)."""
        media = self.source if isinstance(self.source, (Images, Sounds)) else None
        look = media.look(source) if media is not None and isinstance(source, Item) else None
        return AttentionMap(weights, self.labels(source), target, place=place, medium=look)

    # Parts ------------------------------------------------------------------------------------------------------------

    def _encoded(self, sources: Sequence[Any], single: bool) -> list[Encoding | Item]:
        """Of several files, one that can't be read becomes an item without places."""
        found: list[Encoding | Item] = []
        for source in sources:
            try:
                found.append(self.encode(source))
            except RegardError as error:
                if single or self.medium == "text":
                    raise
                found.append(Item(name_of(source), _NO_NUMBERS, (0,), (str(error),)))
        return found

    def _asked(self, sources: Sequence[Any], prefix: Any, replace_unknown: Any) -> list[Asked]:
        """What is asked of the output for each source. Raises RegardError."""
        dictionary = dictionary_of(replace_unknown)
        if dictionary is not None and (self.medium != "text" or not self.has_attention):
            why = "has no attention to find words by" if self.medium == "text" else f"reads no texts ({self.medium})"
            raise RegardError(f"predict: unknown words can't be replaced, since this model {why}")
        if prefix is None or isinstance(prefix, str):
            begins = [self._prefix(prefix)] * len(sources)
        else:
            begins = [self._prefix(each) for each in texts_of(prefix)]
        if len(begins) != len(sources):
            raise RegardError(
                f"predict: {len(begins):,} prefixes for {len(sources):,} sources; give one for each of them"
            )
        if dictionary is None:
            return [Asked(begin) for begin in begins]
        featured = isinstance(self.source, FeaturedTokeniser)
        written = [normalise(clean(text_of(source) if featured else source)) for source in sources]
        return [Asked(begin, dictionary, text) for begin, text in zip(begins, written, strict=True)]

    def _prefix(self, text: str | None) -> Encoding | None:
        """What an output begins with in tokens, nothing where it is nothing."""
        if text is None or not (said := clean(text)):
            return None
        # For characters a space is a token, and says that the word before it is over.
        if self.target.kind in CHARACTERS and text[-1].isspace() and self.target.unk not in self.target.encode(" ").ids:
            said += " "
        return self.target.encode(said)

    def _predicted(
        self, parts: Sequence[tuple[Encoding | Item, Asked]], settings: SearchSettings, attention: Any
    ) -> list[Prediction]:
        parts = [
            (source, asked if asked.prefix is None else replace(asked, prefix=self.as_copied(asked.prefix, source)))
            for source, asked in parts
        ]
        filled = [
            number
            for number, (source, asked) in enumerate(parts)
            if self.can_read(source, settings) and len(asked.begin) <= self.longest_said
        ]
        searched = [parts[number] for number in filled]
        if attention is None:
            found = self._search(searched, settings)
        elif filled:
            with between(self.model, replacement(attention, self.labels(parts[0][0]))):
                found = self._search(searched, settings)
        else:
            found = []
        hypotheses = dict(zip(filled, found, strict=True))
        most = self.longest_source(settings)
        made = [
            answer(self, source, hypotheses[number], asked)
            if number in hypotheses
            else no_answer(self, source, most, asked)
            for number, (source, asked) in enumerate(parts)
        ]
        # Given targets are said with the model's own weights, and without a window.
        if self.copying is None or attention is not None or settings.window is not None:
            return made
        return with_copied(self, made, [source for source, _ in parts])

    def _search(
        self, parts: Sequence[tuple[Encoding | Item, Asked]], settings: SearchSettings
    ) -> list[list[Hypothesis]]:
        return search(
            self.model,
            [source for source, _ in parts],
            settings,
            pad=self.side_by_side,
            longest=[self.facts.longest_output(len(source)) for source, _ in parts],
            prefixes=[asked.begin for _, asked in parts],
            observe=("cross",) if self.has_attention else (),
            device=self.device,
        )
