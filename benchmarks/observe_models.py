"""Small models of many architectures, with weights drawn at random, and inputs for each: no model is fetched."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
import transformers as tf
from torch import Tensor

VOCABULARY = 99
#: Sizes that most configurations call so.
_TEXT = {"vocab_size": VOCABULARY, "hidden_size": 32, "intermediate_size": 48, "num_hidden_layers": 2}
_HEADS = {"num_attention_heads": 4}
_GROUPED = {**_TEXT, **_HEADS, "num_key_value_heads": 2, "head_dim": 8, "pad_token_id": 0}
_SEQ = {
    "vocab_size": VOCABULARY, "d_model": 32, "encoder_layers": 2, "decoder_layers": 2, "encoder_attention_heads": 4,
    "decoder_attention_heads": 4, "encoder_ffn_dim": 48, "decoder_ffn_dim": 48, "max_position_embeddings": 64,
    "pad_token_id": 0, "bos_token_id": 1, "eos_token_id": 2, "decoder_start_token_id": 1, "forced_eos_token_id": 2,
}  # fmt: skip


@dataclass(frozen=True)
class Case:
    """An architecture: how its model is made, and what it is given."""

    name: str
    make: Callable[[str], Any]
    inputs: Callable[[], dict[str, Tensor]]


def text(length: int = 11, batch: int = 2, padded: bool = True) -> dict[str, Tensor]:
    """Token numbers, the second sequence shorter."""
    mask = torch.ones(batch, length, dtype=torch.long)
    if padded:
        mask[-1, -3:] = 0
    return {"input_ids": torch.randint(3, VOCABULARY, (batch, length)), "attention_mask": mask}


def pairs(source: dict[str, Tensor]) -> dict[str, Tensor]:
    batch = len(next(iter(source.values())))
    return {**source, "decoder_input_ids": torch.randint(3, VOCABULARY, (batch, 6))}


def image(size: int = 24) -> dict[str, Tensor]:
    return {"pixel_values": torch.randn(2, 3, size, size)}


def _made(model: Any, config: Any) -> Callable[[str], Any]:
    def make(backend: str) -> Any:
        torch.manual_seed(0)
        kind = config()
        found = model._from_config(kind, attn_implementation=backend) if backend else model(kind)
        return _livelier(found.eval())

    return make


def _livelier(model: Any) -> Any:
    """Parameters large enough that weights are far from even."""
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if parameter.dim() > 1 and "norm" not in name.lower():
                parameter.normal_(0.0, 0.25)
            elif "sinks" in name:
                parameter.normal_()
    return model


def cases() -> list[Case]:
    """All of them, those that can't be observed last."""
    vision = {
        "hidden_size": 32,
        "intermediate_size": 48,
        "num_hidden_layers": 2,
        **_HEADS,
        "image_size": 24,
        "patch_size": 8,
    }
    t5 = {
        "vocab_size": VOCABULARY, "d_model": 32, "d_kv": 8, "d_ff": 48, "num_layers": 2, "num_heads": 4,
        "decoder_start_token_id": 0,
    }  # fmt: skip
    towers = {"hidden_size": 32, "intermediate_size": 48, "num_hidden_layers": 2, **_HEADS}
    found = [
        ("Marian", tf.MarianMTModel, lambda: tf.MarianConfig(**_SEQ), lambda: pairs(text())),
        ("BART", tf.BartForConditionalGeneration, lambda: tf.BartConfig(**_SEQ), lambda: pairs(text())),
        ("mBART", tf.MBartForConditionalGeneration, lambda: tf.MBartConfig(**_SEQ), lambda: pairs(text())),
        ("Pegasus", tf.PegasusForConditionalGeneration, lambda: tf.PegasusConfig(**_SEQ), lambda: pairs(text())),
        ("M2M100 (NLLB)", tf.M2M100ForConditionalGeneration, lambda: tf.M2M100Config(**_SEQ), lambda: pairs(text())),
        ("T5", tf.T5ForConditionalGeneration, lambda: tf.T5Config(**t5), lambda: pairs(text())),
        ("mT5", tf.MT5ForConditionalGeneration, lambda: tf.MT5Config(**t5), lambda: pairs(text())),
        (
            "Whisper",
            tf.WhisperForConditionalGeneration,
            lambda: tf.WhisperConfig(
                **{**_SEQ, "suppress_tokens": None, "begin_suppress_tokens": None},
                num_mel_bins=8,
                max_source_positions=20,
                max_target_positions=32,
            ),
            lambda: pairs({"input_features": torch.randn(2, 8, 40)}),
        ),
        (
            "Speech2Text",
            tf.Speech2TextForConditionalGeneration,
            lambda: tf.Speech2TextConfig(
                **_SEQ,
                input_feat_per_channel=8,
                input_channels=1,
                num_conv_layers=2,
                conv_kernel_sizes=(3, 3),
                conv_channels=16,
                max_source_positions=64,
                max_target_positions=32,
            ),
            lambda: pairs(
                {"input_features": torch.randn(2, 40, 8), "attention_mask": torch.ones(2, 40, dtype=torch.long)}
            ),
        ),
        ("BERT", tf.BertModel, lambda: tf.BertConfig(**_TEXT, **_HEADS), text),
        ("RoBERTa", tf.RobertaModel, lambda: tf.RobertaConfig(**_TEXT, **_HEADS), text),
        (
            "DistilBERT",
            tf.DistilBertModel,
            lambda: tf.DistilBertConfig(vocab_size=VOCABULARY, dim=32, hidden_dim=48, n_layers=2, n_heads=4),
            text,
        ),
        ("ELECTRA", tf.ElectraModel, lambda: tf.ElectraConfig(**_TEXT, **_HEADS, embedding_size=32), text),
        (
            "ModernBERT",
            tf.ModernBertModel,
            lambda: tf.ModernBertConfig(
                **{**_TEXT, "num_hidden_layers": 4}, **_HEADS, local_attention=6, pad_token_id=0
            ),
            text,
        ),
        ("ViT", tf.ViTModel, lambda: tf.ViTConfig(**vision), image),
        ("DeiT", tf.DeiTModel, lambda: tf.DeiTConfig(**vision), image),
        (
            "DINOv2",
            tf.Dinov2Model,
            lambda: tf.Dinov2Config(hidden_size=32, num_hidden_layers=2, **_HEADS, image_size=24, patch_size=8),
            image,
        ),
        (
            "CLIP",
            tf.CLIPModel,
            lambda: tf.CLIPConfig(
                text_config={**towers, "vocab_size": VOCABULARY, "eos_token_id": 2, "max_position_embeddings": 32},
                vision_config={**towers, "image_size": 24, "patch_size": 8},
            ),
            lambda: {**text(), **image()},
        ),
        (
            "SigLIP",
            tf.SiglipModel,
            lambda: tf.SiglipConfig(
                text_config={**towers, "vocab_size": VOCABULARY, "max_position_embeddings": 11},
                vision_config={**towers, "image_size": 24, "patch_size": 8},
            ),
            lambda: {**text(padded=False), **image()},
        ),
        (
            "GPT-2",
            tf.GPT2LMHeadModel,
            lambda: tf.GPT2Config(vocab_size=VOCABULARY, n_embd=32, n_layer=2, n_head=4),
            text,
        ),
        ("GPT-NeoX", tf.GPTNeoXForCausalLM, lambda: tf.GPTNeoXConfig(**_TEXT, **_HEADS), text),
        (
            "OPT",
            tf.OPTForCausalLM,
            lambda: tf.OPTConfig(
                vocab_size=VOCABULARY,
                hidden_size=32,
                ffn_dim=48,
                num_hidden_layers=2,
                **_HEADS,
                word_embed_proj_dim=32,
                max_position_embeddings=64,
            ),
            text,
        ),
        ("Llama", tf.LlamaForCausalLM, lambda: tf.LlamaConfig(**_GROUPED), text),
        ("Mistral", tf.MistralForCausalLM, lambda: tf.MistralConfig(**_GROUPED, sliding_window=4), text),
        ("Qwen2", tf.Qwen2ForCausalLM, lambda: tf.Qwen2Config(**_GROUPED), text),
        ("Qwen3", tf.Qwen3ForCausalLM, lambda: tf.Qwen3Config(**_GROUPED), text),
        ("Phi-3", tf.Phi3ForCausalLM, lambda: tf.Phi3Config(**_GROUPED, bos_token_id=1, eos_token_id=2), text),
        ("Gemma", tf.GemmaForCausalLM, lambda: tf.GemmaConfig(**_GROUPED), text),
        (
            "Gemma 2",
            tf.Gemma2ForCausalLM,
            lambda: tf.Gemma2Config(**_GROUPED, sliding_window=4, attn_logit_softcapping=2.0, query_pre_attn_scalar=8),
            text,
        ),
        (
            "Gemma 3",
            tf.Gemma3ForCausalLM,
            lambda: tf.Gemma3TextConfig(**_GROUPED, sliding_window=4, query_pre_attn_scalar=8),
            text,
        ),
        (
            "gpt-oss",
            tf.GptOssForCausalLM,
            lambda: tf.GptOssConfig(**_GROUPED, num_local_experts=2, num_experts_per_tok=1, sliding_window=4),
            text,
        ),
        (
            "Wav2Vec2",
            tf.Wav2Vec2Model,
            lambda: tf.Wav2Vec2Config(
                **{**_TEXT, **_HEADS},
                conv_dim=(16, 16),
                conv_stride=(4, 4),
                conv_kernel=(8, 8),
                num_conv_pos_embeddings=8,
                num_conv_pos_embedding_groups=4,
            ),
            lambda: {"input_values": torch.randn(2, 400)},
        ),
        (
            "Bloom",
            tf.BloomForCausalLM,
            lambda: tf.BloomConfig(vocab_size=VOCABULARY, hidden_size=32, n_layer=2, n_head=4),
            text,
        ),
        (
            "Falcon",
            tf.FalconForCausalLM,
            lambda: tf.FalconConfig(vocab_size=VOCABULARY, hidden_size=32, num_hidden_layers=2, num_attention_heads=4),
            text,
        ),
        (
            "GPT-J",
            tf.GPTJForCausalLM,
            lambda: tf.GPTJConfig(vocab_size=VOCABULARY, n_embd=32, n_layer=2, n_head=4, rotary_dim=8),
            text,
        ),
        (
            "GPT-Neo",
            tf.GPTNeoForCausalLM,
            lambda: tf.GPTNeoConfig(
                vocab_size=VOCABULARY,
                hidden_size=32,
                num_layers=2,
                num_heads=4,
                attention_types=[[["global", "local"], 1]],
                window_size=4,
            ),
            text,
        ),
        (
            "FSMT",
            tf.FSMTForConditionalGeneration,
            lambda: tf.FSMTConfig(
                **{k: v for k, v in _SEQ.items() if k != "vocab_size"},
                langs=["en", "de"],
                src_vocab_size=VOCABULARY,
                tgt_vocab_size=VOCABULARY,
            ),
            lambda: pairs(text()),
        ),
        ("DeBERTa-v2", tf.DebertaV2Model, lambda: tf.DebertaV2Config(**_TEXT, **_HEADS), text),
        (
            "XLNet",
            tf.XLNetModel,
            lambda: tf.XLNetConfig(vocab_size=VOCABULARY, d_model=32, n_layer=2, n_head=4, d_inner=48),
            text,
        ),
        ("Longformer", tf.LongformerModel, lambda: tf.LongformerConfig(**_TEXT, **_HEADS, attention_window=4), text),
        (
            "Swin",
            tf.SwinModel,
            lambda: tf.SwinConfig(
                image_size=24, patch_size=3, embed_dim=16, depths=[1, 1], num_heads=[2, 4], window_size=2
            ),
            image,
        ),
    ]
    return [Case(name, _made(model, config), inputs) for name, model, config, inputs in found]
