"""Every setting of Regard, with its meaning, its default, and the names it knows. No torch: `--help` is instant.

One name in Python, YAML and on the command line: `model.cross.score` is `settings.model.cross.score`, the key `score`
under `cross` under `model`, and `--model.cross.score`. None means: chosen from the data, printed with the reason, and
stored in the model's `config.yaml`.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

SCORES = (
    "dot", "scaled_dot", "bilinear", "additive", "cosine", "distance", "location", "location_aware", "coverage",
)  # fmt: skip
NORMALIZERS = (
    "softmax", "sparsemax", "entmax15", "entmax", "sigmoid", "top_k", "threshold", "argmax",
    "softmax:learned", "softmax:sink", "entmax:learned",
)  # fmt: skip
CONTEXTS = (
    "attention", "fixed", "local_m", "local_p", "gumbel", "reinforce", "online", "marginal", "monotonic",
)  # fmt: skip
POSITIONS = ("sinusoidal", "learned", "rotary", "relative", "alibi", "none")

Medium = Literal["text", "image", "sound"]
Stem = Literal["embedding", "convolution", "patches", "frames", "module"]
Encoder = Literal["recurrent", "transformer", "convolution", "none"]
Decoder = Literal["recurrent", "transformer"]
Metric = Literal["loss", "bleu", "chrf", "accuracy", "cer", "wer", "per", "token_error_rate"]
Words = Literal["spaces", "text"]
Unlinked = Literal["free", "nothing"]
Schedule = Literal["constant", "noam", "inverse_sqrt", "linear", "cosine", "plateau"]


@dataclass(frozen=True)
class AttentionSettings:
    """One place of attention: how queries and keys are compared, and how scores become weights.

    Args:
        score: how well a key matches a query: dot, scaled_dot, bilinear, additive, cosine, distance, location,
            location_aware or coverage. A number may follow a colon (distance:0.5).
        normalizer: from scores to weights: softmax, sparsemax, entmax15, entmax:ALPHA, sigmoid, top_k:K, threshold:P,
            argmax; softmax:learned, softmax:sink and entmax:learned have a parameter for each head.
        heads: how many heads attend side by side.
        kv_heads: how many heads of keys and values there are; none: as many as heads.
        dropout: the probability of leaving out a weight in training.
        window: of model.cross: a step looks at so many places at most on either side of the median of where the step
            before looked (Chorowski et al. 2015); none: at all.
    """

    score: str = "scaled_dot"
    normalizer: str = "softmax"
    heads: int = 1
    kv_heads: int | None = None
    dropout: float = 0.0
    window: int | None = None


@dataclass(frozen=True)
class EncoderSettings:
    """What turns a source into a memory.

    Args:
        kind: recurrent, transformer or convolution (gated, each of three places; Gehring et al. 2017), or none: the
            places of the stem are the memory as they are.
        stem: what makes a vector of each place of a source: embedding (text), convolution or patches (images), frames
            (sound), or module (images; one of your own, given in Python as `stem`).
        place: how much of an image or a recording one place stands for: pixels, high x wide (8x4), or frames (4).
            Powers of two for convolution and frames.
        channels: of the first layer of a convolution; each layer that halves the image doubles them.
        cell: gru or lstm, of a recurrent encoder.
        directions: 1 or 2, of a recurrent encoder.
        layers: how many layers.
        pyramid: in how many of a recurrent encoder's layers, the last ones, two places become one (Chan et al. 2016).
        width: of the memory: both directions of a recurrent encoder together, or the model width of a Transformer.
        feedforward: width of the inner layer of a Transformer.
        norm: pre or post: where a Transformer normalises its layers.
        position: how a Transformer knows places: sinusoidal, learned, rotary, relative, alibi or none. Places of an
            image have a row and a column, and are sinusoidal, learned or none, whatever the encoder; so are those of
            convolutions.
        memory: what stands for each place: states; both: its state and its embedding (what the stem makes of it) side
            by side; or words: both are compared, and the embedding alone is what is looked up. A state knows its
            neighbours too; with the embedding, weights say better which word or moment was looked at.
    """

    kind: Encoder = "recurrent"
    stem: Stem = "embedding"
    place: str = "8x8"
    channels: int = 16
    cell: Literal["gru", "lstm"] = "lstm"
    directions: Literal[1, 2] = 2
    layers: int = 1
    pyramid: int = 0
    width: int = 256
    feedforward: int = 512
    norm: Literal["pre", "post"] = "pre"
    position: Literal["sinusoidal", "learned", "rotary", "relative", "alibi", "none"] = "sinusoidal"
    memory: Literal["states", "both", "words"] = "states"

    def layout(self, size: tuple[int, ...]) -> tuple[int, ...]:
        """The places of one source: (rows, columns) of an image (height, width), (count,) of so many frames or tokens.

        What is left at an end fills a place too.
        """
        if self.stem == "embedding":
            return size
        parts = [int(part) for part in self.place.split("x")]
        found = tuple(-(-length // part) for length, part in zip(size, parts, strict=True))
        for _ in range(self.pyramid):
            found = (*found[:-1], -(-found[-1] // 2))
        return found


@dataclass(frozen=True)
class DecoderSettings:
    """What makes a target, one token after the other.

    Args:
        kind: recurrent or transformer.
        cell: gru or lstm, of a recurrent decoder.
        layers: how many layers.
        width: of the state of a recurrent decoder, or the model width of a Transformer.
        attends: before the state is updated (Bahdanau) or after it (Luong), of a recurrent decoder.
        input_feeding: whether a recurrent decoder that attends after the update is given its last output as input;
            none: yes, where that output was made with a context of the source.
        feedforward: width of the inner layer of a Transformer.
        norm: pre or post: where a Transformer normalises its layers.
        position: how a Transformer knows places: sinusoidal, learned, rotary, relative, alibi or none.
        word_dropout: the probability of hiding a token that was said from the decoder in training, so that it has to
            look at the source for what it would else guess.
    """

    kind: Decoder = "recurrent"
    cell: Literal["gru", "lstm"] = "lstm"
    layers: int = 1
    width: int = 256
    attends: Literal["before", "after"] = "after"
    input_feeding: bool | None = None
    feedforward: int = 512
    norm: Literal["pre", "post"] = "pre"
    position: Literal["sinusoidal", "learned", "rotary", "relative", "alibi", "none"] = "sinusoidal"
    word_dropout: float = 0.0


@dataclass(frozen=True)
class ModelSettings:
    """The model: an encoder, a decoder, and the attention between and within them.

    Args:
        encoder: what turns a source into a memory.
        decoder: what makes a target.
        context: what the decoder is told of the source at a step. attention: the weighted sum of all places; fixed:
            one code C for all steps, no attention at all; local_m:N: the sum of those within N places of the step's
            own number, or local_p:N: of a place that is predicted (Luong et al. 2015); gumbel or reinforce: one place,
            drawn by its weight in training, the heaviest in use (Xu et al. 2015); online: one place, never before the
            last one, chosen as the source arrives (Raffel et al. 2017). marginal: nothing, but the output is the
            mixture of what every place says by itself (Wu et al. 2018); monotonic:0 or monotonic:1: the same along
            paths that never go back, whose moves depend on the weights alone, or on the distance too (Wu & Cotterell
            2019).
        copy: whether an output token may also be copied from a text through the weights, whether the vocabulary has it
            or not: p(y) = g p_vocabulary(y) + (1 - g) sum of the weights of the places that hold y (See et al. 2017).
        mixture: of the contexts marginal and monotonic, what a place says. sum: logits of the state and of the place,
            added, which is fast with any vocabulary; joint: one layer sees both, which suits letters and phones.
        fixed: what C is made of: the last state of the encoder, or the mean of its memory.
        cross: the attention from the decoder to the memory.
        self_attention: the attention of a Transformer within itself.
        embedding: width of the embeddings of a recurrent encoder or decoder; a Transformer's is its own width.
        share_embeddings: one embedding for source, target and output (one vocabulary), target and output, or none.
        dropout: the probability of dropping a unit in training, outside of attention.
        longest: how many places learned positions and the score location know; longer texts are refused.
    """

    encoder: EncoderSettings = field(default_factory=EncoderSettings)
    decoder: DecoderSettings = field(default_factory=DecoderSettings)
    context: str = "attention"
    mixture: Literal["sum", "joint"] = "sum"
    copy: bool = False
    fixed: Literal["last", "mean"] = "last"
    cross: AttentionSettings = field(default_factory=lambda: AttentionSettings(score="additive"))
    self_attention: AttentionSettings = field(default_factory=lambda: AttentionSettings(heads=4))
    embedding: int = 256
    share_embeddings: Literal["all", "target", "none"] = "none"
    dropout: float = 0.2
    longest: int = 1024

    @property
    def context_kind(self) -> str:
        """`context` without the number after its colon."""
        return self.context.partition(":")[0]

    @property
    def context_number(self) -> int | None:
        """The number after its colon, if there is one."""
        number = self.context.partition(":")[2]
        return int(number) if number else None

    @property
    def attends(self) -> bool:
        """Whether the decoder itself is given a context by attention."""
        return not self.mixes and self.context != "fixed"

    @property
    def mixes(self) -> bool:
        """Whether the decoder knows nothing of the source, and its output is a mixture over places."""
        return self.context_kind in ("marginal", "monotonic")

    @property
    def may_weigh_0(self) -> bool:
        """Whether weights over the source can be exactly 0 by what they mean, not by rounding."""
        sparse = self.cross.normalizer.partition(":")[0] not in ("softmax", "sigmoid")
        return self.context != "fixed" and (sparse or (self.attends and self.context != "attention"))

    @property
    def memory_width(self) -> int:
        """Of each place of the memory."""
        return self.encoder.width + (0 if self.encoder.memory == "states" else self.stem_width)

    @property
    def values_width(self) -> int:
        """Of that part of a place of the memory, its last, that attention sums."""
        return self.stem_width if self.encoder.memory == "words" else self.memory_width

    @property
    def stem_width(self) -> int:
        """Of the vectors that the stem of the encoder makes."""
        return self.embedding if self.encoder.kind == "recurrent" else self.encoder.width

    @property
    def code_width(self) -> int:
        """Of the one code C of a model without attention; 0 where the decoder is told nothing of the source."""
        if self.mixes:
            return 0
        return self.encoder.width if self.fixed == "last" else self.memory_width

    @property
    def longest_source(self) -> int | None:
        """How many places a source may have, one after the other; None: any number."""
        encoder = self.encoder
        by_place = encoder.position == "learned" and encoder.stem in ("embedding", "frames")
        in_encoder = (
            by_place
            if encoder.kind in ("none", "convolution")
            else encoder.kind == "transformer" and (by_place or self.self_attention.score == "location")
        )
        in_cross = self.context != "fixed" and self.cross.score == "location"
        return self.longest if in_encoder or in_cross else None

    def knows(self, layout: tuple[int, ...]) -> bool:
        """Whether a source may have places laid out like that: so many, or so many rows and columns, and no more."""
        count = 1
        for side in layout:
            count *= side
        if self.longest_source is not None and count > self.longest_source:
            return False
        by_sides = self.encoder.position == "learned" and len(layout) == 2
        return not by_sides or max(layout[0], layout[1] << self.encoder.pyramid) <= self.longest

    @property
    def longest_target(self) -> int | None:
        """How many tokens a target may have, its end mark not counted; None: any number."""
        return self.longest - 1 if self.decoder.kind == "transformer" and self._bounded(self.decoder.position) else None

    def _bounded(self, position: str) -> bool:
        """Whether a Transformer with such positions knows so many places and no more."""
        return position == "learned" or self.self_attention.score == "location"


@dataclass(frozen=True)
class ImageSettings:
    """How images are read.

    Args:
        colours: grey or rgb; none: rgb where some of the images have colours.
        height: images are scaled to so many pixels of height, as suits lines of text; none: they keep their size.
        longest: images with a longer side are scaled down to so many pixels.
        augment: how much images are changed in training, from 0 (not at all) to 1: moved, scaled, sheared, turned,
            lightened, made noisy.
    """

    colours: Literal["grey", "rgb"] | None = None
    height: int | None = None
    longest: int = 1024
    augment: float = 0.0


@dataclass(frozen=True)
class SoundSettings:
    """How recordings are read, and the features that are made of them: the logarithm of the energy in mel bands.

    Args:
        rate: samples a second, to which recordings are resampled; none: that of most of them, at most 16,000.
        mels: how many bands.
        window: seconds of a frame.
        hop: seconds from one frame to the next.
        low: the lowest frequency of the bands, in Hz.
        high: the highest; none: half of the rate.
        seconds: longer recordings are left out of training, counted and reported.
        speed: in training, recordings are played faster or slower by a factor of up to so much (0.1: from 0.9 to 1.1).
        masks: in training, so many stretches of frames and so many of bands are hidden (Park et al. 2019).
        mask_frames: the most frames of a hidden stretch.
        mask_bands: the most bands of a hidden stretch.
    """

    rate: int | None = None
    mels: int = 40
    window: float = 0.025
    hop: float = 0.01
    low: float = 20.0
    high: float | None = None
    seconds: float = 30.0
    speed: float = 0.0
    masks: int = 0
    mask_frames: int = 20
    mask_bands: int = 8


@dataclass(frozen=True)
class DataSettings:
    """The pairs and how they are cut into tokens.

    Args:
        medium: what sources are: text, image or sound (then they are the paths of files); none: by the names of the
            first of them.
        image: how images are read.
        sound: how recordings are read.
        workers: how many threads read images and recordings; none: one for each core.
        source: the column of the source, by number (from 1) or name.
        target: the column of the target, by number (from 1) or name.
        features: the column of the source's features, such as V;PST;3;SG beside a lemma, by number or name; 0: there is
            none; none: recognised by what it holds, behind the target or before it. Each is a symbol of its own that
            stands before the tokens of the source.
        source_tokens: character (a letter with its marks), code_point (letters and marks apart), symbols (what white
            space separates; symbols:SIZE, the most frequent, all others being one unknown), bpe:SIZE, unigram:SIZE
            (without :SIZE one that suits the texts, such that a subword is met about 50 times), or a tokenizer.json or
            SentencePiece .model file.
        target_tokens: the same for the target.
        source_dropout: of bpe, the probability of leaving out a merge in training, so that a text is cut otherwise
            every time (Provilkov et al. 2020).
        target_dropout: the same for the target.
        joint: one vocabulary for both sides (bpe and unigram).
        source_case: keep, or fold to lower case.
        target_case: keep, or fold to lower case.
        max_source_tokens: longer sources are left out of training, counted and reported.
        max_target_tokens: longer targets are left out of training, counted and reported.
        weights: of several files of pairs, numbers separated by commas that say how much of each an epoch has, whatever
            its size (3,1: three quarters are of the first); none: each pair counts once.
        hold_out: how many pairs to hold out for validation where no file is given for it; none: chosen by size.
    """

    medium: Medium | None = None
    image: ImageSettings = field(default_factory=ImageSettings)
    sound: SoundSettings = field(default_factory=SoundSettings)
    workers: int | None = None
    source: str = "1"
    target: str = "2"
    features: str | None = None
    source_tokens: str | None = None
    target_tokens: str | None = None
    source_dropout: float = 0.0
    target_dropout: float = 0.0
    joint: bool = False
    source_case: Literal["keep", "fold"] = "keep"
    target_case: Literal["keep", "fold"] = "keep"
    max_source_tokens: int = 256
    max_target_tokens: int = 256
    weights: str | None = None
    hold_out: int | None = None


@dataclass(frozen=True)
class TrainingSettings:
    """How the model learns.

    Args:
        updates: stop after so many updates; none: chosen by the size of the corpus.
        minutes: stop after so many minutes; none: no limit.
        batch: size of a batch, in units of batch_unit; none: chosen by the size of the corpus.
        batch_unit: tokens (of the longer side, padding included) or sentences.
        accumulate: batches to an update.
        optimizer: adam or adamw.
        rate: the greatest learning rate; with noam, the factor before the formula of Vaswani et al. (2017).
        schedule: constant, noam, inverse_sqrt, linear, cosine or plateau.
        warmup: updates over which the rate rises; none: a tenth of all updates, at most 400.
        decay: weight decay.
        clip: the greatest norm of the gradient; 0: any.
        smoothing: label smoothing.
        coverage: what it costs to look at a source word less or more than once in all (Xu et al. 2015); 0: nothing.
        sampled_until: with the contexts gumbel and reinforce, the update from which what they start with has ended: for
            gumbel a temperature above the last one, for reinforce steps that see the weighted sum, and a reward for
            undecided weights; none: the last update.
        sampled_temperature: of gumbel, the last one; it begins at 1.
        sampled_entropy: of reinforce, what undecided weights are worth at first.
        guided_weight: what it costs to look elsewhere than at the words linked by --guided (Garg et al. 2019).
        guided_layer: which layer of a Transformer's cross-attention the links guide, from 0; none: the last but one.
        guided_head: which head of it, from 0; -1: the mean of all heads.
        guided_reading: whether the links guide the step that has read a word, which knows it, rather than the one that
            predicts it. For aligners: what the model shows of a word is then the weights of that step.
        guided_unlinked: what words without links should look at: free, anything; or nothing, which the normalizer
            softmax:sink can. For links that are complete, so that a word has none because it has no counterpart.
        guided_words: what the links count as words: spaces (what white space separates), or text (words as in maps:
            punctuation apart, and each character of a script without spaces).
        validate_every: updates between validations; none: about ten to twenty in a training.
        patience: stop after so many validations in a row without a better one; 0: never.
        max_skipped: stop after so many updates in a row whose gradient is no number; such updates are left out.
        metric: what is best decides: loss, bleu, chrf, accuracy, cer, wer, per or token_error_rate.
        average: how many last checkpoints to average in the end.
        precision: 32-true or bf16-mixed.
        device: auto, cpu, cuda or mps.
        devices: how many processes.
        threads: threads of the CPU; none: all cores.
        seed: of everything that is random.
    """

    updates: int | None = None
    minutes: float | None = None
    batch: int | None = None
    batch_unit: Literal["tokens", "sentences"] = "tokens"
    accumulate: int = 1
    optimizer: Literal["adam", "adamw"] = "adam"
    rate: float = 1e-3
    schedule: Schedule = "inverse_sqrt"
    warmup: int | None = None
    decay: float = 0.0
    clip: float = 1.0
    smoothing: float = 0.1
    coverage: float = 0.0
    sampled_until: int | None = None
    sampled_temperature: float = 0.5
    sampled_entropy: float = 0.05
    guided_weight: float = 1.0
    guided_layer: int | None = None
    guided_head: int = 0
    guided_reading: bool = False
    guided_unlinked: Unlinked = "free"
    guided_words: Words = "spaces"
    validate_every: int | None = None
    patience: int = 0
    max_skipped: int = 20
    metric: Metric = "loss"
    average: int = 1
    precision: Literal["32-true", "bf16-mixed"] = "32-true"
    device: Literal["auto", "cpu", "cuda", "mps"] = "auto"
    devices: int = 1
    threads: int | None = None
    seed: int = 1


@dataclass(frozen=True)
class SearchSettings:
    """How a prediction is found.

    Args:
        beam: how many hypotheses are kept; 1: the best token at every step (greedy).
        length_penalty: alpha of ((5 + length) / 6) ^ alpha, by which log-probabilities are divided (Wu et al. 2016).
        coverage_penalty: beta of the coverage penalty of the same paper; 0: none.
        min_length: no end before so many tokens.
        max_length: no more tokens than this; none: a multiple of the source learned from the training pairs.
        max_source: texts of more tokens are answered with nothing, and told; none: 20 times data.max_source_tokens.
        window: a step looks at so many places at most on either side of the median of where the step before looked, as
            suits recordings longer than those of the training; none: as model.cross.window says.
        piece: recordings longer than so many seconds are cut at their quietest moments, into pieces of at most so many
            that are predicted one by one; none: not at all. About as many as most recordings of the training have.
        n_best: how many predictions for each source.
        sample: how many outputs of each source are drawn from what the model says, token by token, instead of searched
            for with a beam; none: the best are searched for. They come in the order of their drawing.
        temperature: of what is drawn: below 1 likely tokens are drawn more often than the model says, above 1 less.
        top_k: only the so many likeliest tokens are drawn; none: all.
        top_p: only the fewest likeliest tokens whose probabilities are together so much (0.9) are drawn; none: all.
        seed: of what is drawn. The same seed draws the same for the same source, whatever else is predicted.
        batch: how many sources at a time.
    """

    beam: int = 5
    length_penalty: float = 0.6
    coverage_penalty: float = 0.0
    min_length: int = 0
    max_length: int | None = None
    max_source: int | None = None
    window: int | None = None
    piece: float | None = None
    n_best: int = 1
    sample: int | None = None
    temperature: float = 1.0
    top_k: int | None = None
    top_p: float | None = None
    seed: int = 1
    batch: int = 64


@dataclass(frozen=True)
class Settings:
    """All of a model's settings, as stored in its `config.yaml`."""

    data: DataSettings = field(default_factory=DataSettings)
    model: ModelSettings = field(default_factory=ModelSettings)
    training: TrainingSettings = field(default_factory=TrainingSettings)
    search: SearchSettings = field(default_factory=SearchSettings)
    version: int = 1
