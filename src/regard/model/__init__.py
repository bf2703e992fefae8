"""Encoders, decoders, readouts, the whole model, and the search for its best predictions."""

from regard.model.contracts import (
    PLACES,
    Decoder,
    DecoderMemory,
    DecoderOutput,
    Encoded,
    Observed,
    ObservedStep,
    Pairs,
    Places,
    State,
    Stem,
)
from regard.model.encoder_decoder import EncoderDecoder, Forced, Loss, Step
from regard.model.encoders import Encoder, RecurrentEncoder, StemAlone, TransformerEncoder, make_encoder
from regard.model.mixture import MixtureReadout
from regard.model.readout import Readout, Said, SoftmaxReadout
from regard.model.recurrent import RecurrentDecoder
from regard.model.search import Hypothesis, coverage_penalty, length_penalty, search
from regard.model.trail import Band
from regard.model.transformer import TransformerDecoder

__all__ = [
    "PLACES",
    "Band",
    "Decoder",
    "DecoderMemory",
    "DecoderOutput",
    "Encoded",
    "Encoder",
    "EncoderDecoder",
    "Forced",
    "Hypothesis",
    "Loss",
    "MixtureReadout",
    "Observed",
    "ObservedStep",
    "Pairs",
    "Places",
    "Readout",
    "RecurrentDecoder",
    "RecurrentEncoder",
    "Said",
    "SoftmaxReadout",
    "State",
    "Stem",
    "StemAlone",
    "Step",
    "TransformerDecoder",
    "TransformerEncoder",
    "coverage_penalty",
    "length_penalty",
    "make_encoder",
    "search",
]
