"""`Predictor`: a model with its tokenisers and settings."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, overload

import numpy as np
import torch
from torch import Tensor
from torch.overrides import TorchFunctionMode

from regard.configuration import checked, with_given
from regard.data.batches import evaluation_batches, restore
from regard.data.collate import collate
from regard.data.encoding import Encoding
from regard.data.tokenisers import Tokeniser, unknown_pieces
from regard.errors import RegardError, shown
from regard.folder import FACTS, WEIGHTS, Facts, load_facts, load_settings, load_tokenisers, load_weights, weight_shapes
from regard.maps import AttentionMap
from regard.memory import in_halves, whole_memory
from regard.model import EncoderDecoder, Hypothesis, search
from regard.predictor.intervention import between, cross_attentions
from regard.predictor.labels import attention_map, said_tokens, shown_map, source_tokens
from regard.predictor.prediction import Prediction
from regard.settings import SearchSettings, Settings

_BREAKS = re.compile(r"[\t\n\r\v\f]+")
_FORCED_CELLS = 4_000
_TIMES_LONGER = 20
# What safetensors calls the types that a model's numbers have.
_STORED = {torch.float32: "F32", torch.float64: "F64", torch.bfloat16: "BF16", torch.float16: "F16"}
EMPTY = "an empty text: nothing to predict from"


class Predictor:
    """A trained model, ready to predict.

    Args:
        model: the encoder-decoder; it is put into evaluation mode when it predicts.
        source, target: the tokenisers of both sides.
        settings: of the model; those of the search are the defaults of `predict`.
        facts: what its training left behind.
    """

    def __init__(
        self, model: EncoderDecoder, source: Tokeniser, target: Tokeniser, settings: Settings, facts: Facts
    ) -> None:
        self.model, self.source, self.target = model, source, target
        self.settings, self.facts = settings, facts

    @classmethod
    def load(cls, folder: str | Path, device: str = "auto") -> Predictor:
        """The model of a folder. Nothing in it is executed.

        Raises RegardError: a file that is missing, damaged or of a newer version, no such device.
        """
        folder = Path(folder)
        settings, facts = load_settings(folder), load_facts(folder)
        source, target = load_tokenisers(folder)
        # The file's size bounds the model's only after both are known to fit.
        _check_fit(outline(settings, source, target), weight_shapes(folder / WEIGHTS), folder / WEIGHTS)
        model = make_model(settings, source, target)
        model.load_state_dict(load_weights(folder / WEIGHTS))
        _check_shown(model, facts, folder / FACTS)
        return cls(model.to(_device(device)).eval(), source, target, settings, facts)

    @property
    def device(self) -> torch.device:
        """Where the model is."""
        return next(self.model.parameters()).device

    @property
    def has_attention(self) -> bool:
        """Whether the decoder attends to the source; with a fixed context it does not."""
        return bool(cross_attentions(self.model))

    @overload
    def predict(self, texts: str, *, attention: Any = None, **search: Any) -> Prediction: ...

    @overload
    def predict(self, texts: Sequence[str], *, attention: Any = None, **search: Any) -> list[Prediction]: ...

    def predict(
        self, texts: str | Sequence[str], *, attention: Any = None, **search: Any
    ) -> Prediction | list[Prediction]:
        """The best output for each text, in their order.

        Args:
            texts: one text, or several.
            attention: weights (target tokens, source tokens), or a map of one matrix over the same source pieces, to
                use instead of the model's own at every step, for all layers and heads; one row (source tokens) is used
                at every step; a row of nan leaves the model's own. For a single text.
            search: settings of the search by name: beam, n_best, length_penalty, ...

        Raises RegardError for settings that there are not, and for weights that do not fit the text.
        """
        settings = with_given(self.settings.search, checked(search, "predict", SearchSettings))
        # Whoever asks for more outputs than the beam has wants them all the same.
        if settings.n_best > settings.beam:
            settings = with_given(settings, {"beam": settings.n_best})
        single = isinstance(texts, str)
        if attention is not None and not single:
            raise RegardError("predict: attention replaces the weights of one text; give a single one")
        listed = [texts] if isinstance(texts, str) else _listed(texts)
        encodings = [self.source.encode(_clean(text)) for text in listed]
        most = self._longest_source(settings)
        filled = [number for number, encoding in enumerate(encodings) if 0 < len(encoding) <= most]
        if attention is None:
            found = self._search([encodings[number] for number in filled], settings)
        elif filled:
            with between(self.model, self._replacement(attention, encodings[0])):
                found = self._search(encodings, settings)
        else:
            found = []
        hypotheses = dict(zip(filled, found, strict=True))
        predictions = [
            self._prediction(encoding, hypotheses[number]) if number in hypotheses else _nothing(encoding, most)
            for number, encoding in enumerate(encodings)
        ]
        return predictions[0] if single else predictions

    def align(self, sources: Sequence[str], targets: Sequence[str]) -> list[AttentionMap | None]:
        """What the model attends to while it is made to say given targets (forced decoding).

        A map of all layers and heads for each pair; None for pairs with a side that is empty or longer than what
        is predicted, and without attention.
        """
        encodings = [self.source.encode(_clean(text)) for text in sources]
        given = [self.target.encode(_clean(text)) for text in targets]
        said = [encoding.ids for encoding in given]
        most, most_said = self._longest_source(self.settings.search), self._longest_said()
        filled = [
            number
            for number in range(len(encodings))
            if 0 < len(encodings[number]) <= most and 0 < len(said[number]) <= most_said
        ]
        maps: list[AttentionMap | None] = [None] * len(encodings)
        if not filled or not self.has_attention:
            return maps
        lengths = [max(len(encodings[number].ids), len(said[number]) + 1) for number in filled]
        batches = evaluation_batches(lengths, size=_FORCED_CELLS, unit="tokens")

        def forced(batch: Sequence[int]) -> list[Any]:
            return self._forced([filled[place] for place in batch], encodings, said)

        rows = restore(batches, [in_halves(forced, batch, "pairs") for batch in batches])
        for number, weights in zip(filled, rows, strict=True):
            source, target = source_tokens(encodings[number]), said_tokens(given[number], self.target)
            maps[number] = AttentionMap(weights, source, target, place="cross")
        return maps

    def shown(self, every: AttentionMap, reading: bool | None = None) -> AttentionMap:
        """The one matrix of a map that is shown to people: that of the layer and head chosen after training.

        With `reading`, the row of a token is that of the step which has read it, else of the one that predicts it;
        None: as links have guided the model (`training.guided_reading`).
        """
        return shown_map(every, self.facts, self.settings.training.guided_reading if reading is None else reading)

    def _longest_source(self, settings: SearchSettings) -> int:
        """The most tokens of a text that is predicted from: far more would take hours, and the model knows nothing of
        such lengths."""
        most = settings.max_source or _TIMES_LONGER * self.settings.data.max_source_tokens
        places = self.settings.model.longest_source
        return most if places is None else min(most, places)

    def _longest_said(self) -> int:
        """The most tokens of a target that the model is made to say."""
        most, places = _TIMES_LONGER * self.settings.data.max_target_tokens, self.settings.model.longest_target
        return most if places is None else min(most, places)

    # Parts ------------------------------------------------------------------------------------------------------------

    def _search(self, encodings: Sequence[Encoding], settings: SearchSettings) -> list[list[Hypothesis]]:
        return search(
            self.model,
            [encoding.ids for encoding in encodings],
            settings,
            longest=[self.facts.longest_output(len(encoding)) for encoding in encodings],
            observe=("cross",) if self.has_attention else (),
            device=self.device,
        )

    def _prediction(self, source: Encoding, hypotheses: Sequence[Hypothesis]) -> Prediction:
        best, *others = [self._one(source, hypothesis) for hypothesis in hypotheses]
        unknown = unknown_pieces(self.source, source)
        notes = []
        if unknown:
            named = " ".join(dict.fromkeys(unknown))
            notes.append(f"never seen in training: {named}")
        if len(source) > self.settings.data.max_source_tokens:
            notes.append(
                f"{len(source)} tokens, more than the {self.settings.data.max_source_tokens} of any text in training"
            )
        return Prediction(
            best.source,
            best.text,
            best.log_prob,
            best.attention,
            best.every_attention,
            tuple(others),
            unknown,
            "; ".join(notes),
            best.tokens,
        )

    def _one(self, source: Encoding, hypothesis: Hypothesis) -> Prediction:
        every = shown = None
        layers = sorted(key for key in hypothesis.attention if key[0] == "cross")
        if layers:
            rows = np.stack([hypothesis.attention[key] for key in layers])
            every = attention_map(rows, source, self.target, (*hypothesis.tokens, self.target.eos), "cross")
            shown = self.shown(every)
        text = self.target.decode(hypothesis.tokens)
        return Prediction(source.text, text, hypothesis.log_prob, shown, every, tokens=hypothesis.tokens)

    def _forced(
        self, numbers: Sequence[int], encodings: Sequence[Encoding], said: Sequence[Sequence[int]]
    ) -> list[Any]:
        """The weights (layers, heads, T, S) of some pairs, forced together."""
        batch = collate(
            [encoding.ids for encoding in encodings],
            said,
            numbers,
            source_pad=self.source.pad,
            target_pad=self.target.pad,
            bos=self.target.bos,
            eos=self.target.eos,
        ).to(self.device)
        was_training = self.model.training
        self.model.eval()
        with torch.inference_mode():
            observed = self.model.forced(batch, observe=("cross",)).observed
        self.model.train(was_training)
        layers = torch.stack([observed[key].float() for key in sorted(observed)], 1).cpu().numpy()
        sizes = zip(batch.target_lengths.tolist(), batch.source_lengths.tolist(), strict=True)
        return [weights[..., :target, :source] for weights, (target, source) in zip(layers, sizes, strict=True)]

    def _replacement(self, attention: Any, source: Encoding) -> Tensor:
        if isinstance(attention, AttentionMap):
            if attention.source.pieces != source.pieces:
                raise RegardError(
                    "predict: attention is a map over other source pieces, of another text or model "
                    f"({shown(' '.join(attention.source.pieces))} instead of {shown(' '.join(source.pieces))})"
                )
            attention = attention.matrix
        try:
            weights = torch.from_numpy(np.array(attention, np.float32, order="C"))
        except (TypeError, ValueError):
            raise RegardError("predict: attention should be numbers, target tokens x source tokens") from None
        weights = weights[None] if weights.ndim == 1 else weights
        if weights.ndim != 2 or not len(weights) or weights.shape[1] != len(source):
            raise RegardError(
                f"predict: attention has the shape {tuple(weights.shape)}, and this text has {len(source)} source "
                "tokens; give one row of so many weights, or one for each target token"
            )
        if bool((weights < 0).any()) or bool(weights.isinf().any()):
            raise RegardError("predict: attention should be finite weights of 0 or more")
        return weights


def load(folder: str | Path, device: str = "auto") -> Predictor:
    """The model of a folder, as `Predictor.load`."""
    return Predictor.load(folder, device)


def make_model(settings: Settings, source: Tokeniser, target: Tokeniser) -> EncoderDecoder:
    """A model with fresh weights.

    Raises RegardError where settings do not fit each other, and for a model larger than the machine's memory.
    """
    drawn = outline(settings, source, target)
    size, memory = sum(each.nbytes for each in (*drawn.parameters(), *drawn.buffers())), whole_memory()
    if size > memory:
        raise RegardError(
            f"these settings make a model of {size / 2**30:,.1f} GiB, and this machine's memory is "
            f"{memory / 2**30:,.1f} GiB; lower model.encoder.width, model.decoder.width, or the layers"
        )
    return _model(settings, source, target)


def outline(settings: Settings, source: Tokeniser, target: Tokeniser) -> EncoderDecoder:
    """The model without any numbers: its tensors have names, shapes and types, and take no memory."""
    with torch.device("meta"), _NothingDrawn():
        return _model(settings, source, target)


class _NothingDrawn(TorchFunctionMode):
    """Parameters without numbers are not drawn: torch would load its compiler for it, for a second."""

    def __torch_function__(self, function: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        given = kwargs or {}
        if getattr(function, "__name__", "") in ("normal_", "uniform_"):
            return args[0] if args else given["tensor"]
        return function(*args, **given)


def _model(settings: Settings, source: Tokeniser, target: Tokeniser) -> EncoderDecoder:
    return EncoderDecoder(
        settings.model,
        len(source.vocabulary),
        len(target.vocabulary),
        source_pad=source.pad,
        target_pad=target.pad,
        bos=target.bos,
        eos=target.eos,
    )


def _check_fit(model: EncoderDecoder, found: Mapping[str, tuple[tuple[int, ...], str]], path: Path) -> None:
    expected = {name: (tuple(each.shape), _STORED.get(each.dtype)) for name, each in model.state_dict().items()}
    wrong = sorted(name for name in expected.keys() | found.keys() if expected.get(name) != found.get(name))
    if wrong:
        others = f", and {len(wrong) - 1} other tensors differ" if len(wrong) > 1 else ""
        what = "is missing" if wrong[0] not in found else "is too many" if wrong[0] not in expected else "differs"
        raise RegardError(f"{path}: does not fit config.yaml ({shown(wrong[0])} {what}{others})")


def _check_shown(model: EncoderDecoder, facts: Facts, path: Path) -> None:
    places = cross_attentions(model)
    layer, head = facts.shown
    if places and (layer >= len(places) or head >= places[0].heads):
        raise RegardError(f"{path}: shows layer {layer} and head {head}, and the model has {len(places)} of "
                          f"{places[0].heads}; take the file from the model's original folder")  # fmt: skip


def _device(name: str) -> torch.device:
    if name == "auto":
        mps = torch.backends.mps.is_available()
        return torch.device("cuda" if torch.cuda.is_available() else "mps" if mps else "cpu")
    if name not in ("cpu", "cuda", "mps"):
        raise RegardError(f"there is no device {name!r}; known: auto, cpu, cuda, mps")
    if (name == "cuda" and not torch.cuda.is_available()) or (name == "mps" and not torch.backends.mps.is_available()):
        raise RegardError(f"this machine has no device {name}; leave out --device, or give cpu")
    return torch.device(name)


def _clean(text: str) -> str:
    """A text as the readers give it: on one line, without white space at its ends."""
    return _BREAKS.sub(" ", text.strip().lstrip("\ufeff")).strip()


def _listed(texts: Any) -> list[str]:
    found = list(texts) if isinstance(texts, Iterable) and not isinstance(texts, (bytes, Mapping)) else [texts]
    for text in found:
        if not isinstance(text, str):
            raise RegardError(f"predict: came {shown(text)}; give a text, or several in a list")
    return found


def _nothing(encoding: Encoding, most: int) -> Prediction:
    note = EMPTY
    if len(encoding) > most:
        note = f"{len(encoding):,} tokens, more than the {most:,} of search.max_source: nothing predicted"
    return Prediction(encoding.text, "", 0.0, note=note)
