"""A Hugging Face model from its folder, asked about a text, an image or a recording, and observed meanwhile."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from regard.attention import Observe
from regard.errors import RegardError, one_line
from regard.maps import AttentionMap, Medium, Picture, Sound, WordTime
from regard.observe.mapping import grid_of
from regard.observe.observing import observe
from regard.observe.seen import Seen
from regard.observe.whisper import warped_times

#: Up to so many tokens all weights are kept, beyond it the heaviest of each row.
_ALL, _HEAVIEST = 1024, 64


@dataclass(frozen=True)
class Asked:
    """What a model made of a source: its text, if it makes any, and what was seen."""

    source: str
    text: str | None
    seen: Seen
    inputs: Any
    output: Any
    medium: Medium | None
    tokenizer: Any
    heads: list[tuple[int, int]] | None

    def map(self, place: str | None = None) -> AttentionMap:
        """The map of a place; see `attention_map`."""
        medium = self.medium
        if medium is not None and place == "decoder.self":
            medium = None
        return self.seen.map(self.tokenizer, self.inputs, self.output, place=place, medium=medium)

    def times(self) -> list[WordTime]:
        """When each word of a recording was said; raises RegardError for anything else."""
        return warped_times(self.map("cross"), self.heads)


class Pretrained:
    """A model of transformers in a folder, with what prepares its inputs; nothing is fetched from a network.

    Raises `RegardError` where the folder holds none, or needs an extra that is not installed.
    """

    def __init__(self, folder: str | Path, device: str = "auto") -> None:
        self.folder = Path(folder)
        if not self.folder.is_dir():
            raise RegardError(f"{folder}: no such folder; a model is put into one by its `save_pretrained(folder)`")
        if not (self.folder / "config.json").exists():
            other = (
                "; it is a model of Regard: `regard predict --show`" if (self.folder / "config.yaml").exists() else ""
            )
            raise RegardError(f"{folder}: holds no model of Hugging Face, since config.json is missing{other}")
        try:
            import transformers
        except ImportError:
            raise RegardError("models of Hugging Face need transformers: pip install 'regard[hf]'") from None
        logging: Any = transformers.logging
        logging.set_verbosity_error()
        logging.disable_progress_bar()
        self._library = transformers
        config = self._from("AutoConfig")
        names = getattr(config, "architectures", None) or ["AutoModel"]
        kind = names[0] if hasattr(transformers, names[0]) else "AutoModel"
        self.model = self._from(kind).eval().to(_device(device))
        self.medium = {"pixel_values": "image", "input_features": "sound", "input_values": "sound"}.get(
            self.model.main_input_name, "text"
        )
        if hasattr(config, "vision_config"):
            raise RegardError(f"{folder}: {kind} takes images and texts together; observe it from Python")

    def ask(self, source: str, target: str | None = None, beam: int = 1, new: int | None = None) -> Asked:
        """Run the model on a text, or on the file of an image or a recording.

        An encoder-decoder generates its output with `beam` beams, or is given `target` as its output. A decoder by
        itself reads the text, and goes on for `new` tokens. Raises RegardError for what can't be read or asked.
        """
        tokenizer = None if self.medium == "image" and not self._generates else self._from("AutoTokenizer")
        inputs, picture, sound = self._prepared(source, tokenizer)
        given = dict(inputs)
        if target is not None:
            if not self.model.config.is_encoder_decoder or tokenizer is None:
                raise RegardError(f"{self.folder}: only an encoder-decoder is given a target")
            given["labels"] = tokenizer(text_target=target, return_tensors="pt")["input_ids"].to(self.model.device)
        generating = target is None and (self.model.config.is_encoder_decoder or new is not None)
        if generating and not self._generates:
            raise RegardError(f"{self.folder}: {type(self.model).__name__} generates nothing; leave out --new")
        length = max([part.shape[-1] for name, part in given.items() if name == "input_ids"], default=0)
        dense = length <= _ALL
        request = None if dense else Observe(top=_HEAVIEST, mass=True)
        with warnings.catch_warnings(), observe(self.model, request, dense=dense) as seen, torch.no_grad():
            warnings.filterwarnings("ignore", module="transformers")  # of defaults that the model has set itself
            if generating:
                extra = {} if new is None else {"max_new_tokens": new}
                output = self.model.generate(**given, num_beams=beam, return_dict_in_generate=True, **extra)
            else:
                output = self.model(**given)
        text: str | None = None
        if generating and tokenizer is not None:
            sequences = output.sequences if hasattr(output, "sequences") else output
            text = tokenizer.decode(sequences[0], skip_special_tokens=True)
        medium = self._medium(seen, inputs, picture, sound)
        heads = getattr(getattr(self.model, "generation_config", None), "alignment_heads", None)
        pairs = None if heads is None else [(int(layer), int(head)) for layer, head in heads]
        return Asked(source, text, seen, given, output if generating else None, medium, tokenizer, pairs)

    @property
    def _generates(self) -> bool:
        return bool(self.model.can_generate())

    def _from(self, kind: str) -> Any:
        try:
            return getattr(self._library, kind).from_pretrained(self.folder, local_files_only=True)
        except (OSError, ValueError, ImportError, KeyError) as error:
            raise RegardError(f"{self.folder}: {kind}: {one_line(error)}") from None

    def _prepared(self, source: str, tokenizer: Any) -> tuple[Any, Any, Any]:
        """The inputs, and of an image its processor, of a recording its samples and processor."""
        device = self.model.device
        if self.medium == "text":
            return tokenizer(source, return_tensors="pt").to(device), None, None
        if self.medium == "image":
            from regard.data.images import read_image
            from regard.settings import ImageSettings

            processor = self._from("AutoImageProcessor")
            pixels = read_image(source, ImageSettings(colours="rgb")).values
            return processor(images=pixels, return_tensors="pt").to(device), processor, None
        from regard.data.sounds import read_sound
        from regard.settings import SoundSettings

        processor = self._from("AutoFeatureExtractor")
        samples = read_sound(source, SoundSettings(rate=processor.sampling_rate)).values
        floats = samples.astype(np.float32) / 32768.0
        made = processor(floats, sampling_rate=processor.sampling_rate, return_tensors="pt").to(device)
        return made, None, (samples, processor)

    def _medium(self, seen: Seen, inputs: Any, picture: Any, sound: Any) -> Medium | None:
        """The image as the model saw it under its patches, or the recording cut into the encoder's places."""
        if not seen.passes or (picture is None and sound is None):
            return None
        places = seen.only.places
        keys = seen.at("cross" if "cross" in places else "encoder.self")[0].keys
        if picture is not None:
            values = inputs["pixel_values"][0].float().cpu().numpy().transpose(1, 2, 0)
            grid = grid_of(keys, *values.shape[:2])
            if grid is None:
                return None
            mean, deviation = (np.array(getattr(picture, name, 0.0)) for name in ("image_mean", "image_std"))
            if getattr(picture, "do_normalize", False):
                values = values * deviation + mean
            pixels = np.clip(np.rint(values * 255), 0, 255).astype(np.uint8)
            return Picture(np.ascontiguousarray(pixels), grid[0], grid[1])
        samples, processor = sound
        seconds = len(samples) / processor.sampling_rate
        padded = seconds
        features = inputs.get("input_features")
        if features is not None and hasattr(processor, "nb_max_frames"):
            padded = features.shape[-1] * processor.hop_length / processor.sampling_rate
        step = padded / keys
        return Sound(samples, processor.sampling_rate, min(keys, max(1, int(np.ceil(seconds / step)))), step)


def _device(name: str) -> str:
    if name != "auto":
        return name
    return "cuda" if torch.cuda.is_available() else "cpu"
