"""What is exchanged while anything is observed, and put back after: each calls the original, then tells what it got.

- `F.scaled_dot_product_attention`, which Hugging Face's `sdpa` backend calls too, with everything worked out: grouped
  keys, causality, caches, position bias. What it gets is what it weighs.
- Hugging Face's `AttentionInterface`, which knows the module that asks, and the other backends: `eager` gives its
  weights, of `flash_attention` and the like the arguments are read.
- `nn.MultiheadAttention` and `nn.TransformerEncoderLayer`, which torch may run as one operation.
"""

from __future__ import annotations

import functools
import sys
import threading
from collections.abc import Callable
from typing import Any, Protocol

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from regard.observe.calls import Call
from regard.observe.frames import Frame, calling_module, current, inside, mark_seen
from regard.observe.multihead import arguments_of, call_of, layer_call


class Watcher(Protocol):
    """Who wants to know of calls."""

    @property
    def modules(self) -> dict[nn.Module, str]: ...

    def take(self, module: nn.Module, call: Call) -> None: ...

    def miss(self, module: nn.Module, why: str) -> None: ...


_LOCK = threading.RLock()
_WATCHERS: tuple[Watcher, ...] = ()  # never changed in place, since other threads look through it
_RESTORE: list[Callable[[], None]] = []


class _Known:
    """All modules that somebody watches."""

    def __contains__(self, module: object) -> bool:
        return any(module in watcher.modules for watcher in _WATCHERS)


_KNOWN = _Known()


def watch(watcher: Watcher) -> None:
    """From now on `watcher` is told of the calls of its modules, from whichever thread."""
    global _WATCHERS
    with _LOCK:
        if not _WATCHERS:
            _exchange_torch()
        _exchange_named(watcher)
        if "transformers.modeling_utils" in sys.modules:
            _exchange_interface()
        _WATCHERS = (*_WATCHERS, watcher)


def unwatch(watcher: Watcher) -> None:
    """No longer; with the last one everything is as it was."""
    global _WATCHERS
    with _LOCK:
        _WATCHERS = tuple(one for one in _WATCHERS if one is not watcher)
        if not _WATCHERS:
            while _RESTORE:
                _RESTORE.pop()()


def _exchange(owner: Any, name: str, new: Any) -> None:
    """Set an attribute until the last watcher leaves. What somebody else set over it in between stays."""
    old = vars(owner)[name]

    def restore() -> None:
        if vars(owner).get(name) is new:
            setattr(owner, name, old)

    setattr(owner, name, new)
    _RESTORE.append(restore)


def _tell(module: nn.Module, make: Callable[[], Call]) -> None:
    mark_seen()
    call: Call | None = None
    for watcher in _WATCHERS:
        if module in watcher.modules:
            call = make() if call is None else call
            watcher.take(module, call)


# --- torch ---

_SDPA = F.scaled_dot_product_attention


@functools.wraps(_SDPA)
def _sdpa(
    query: Tensor,
    key: Tensor,
    value: Tensor,
    attn_mask: Tensor | None = None,
    dropout_p: float = 0.0,
    is_causal: bool = False,
    scale: float | None = None,
    enable_gqa: bool = False,
) -> Tensor:
    found = _SDPA(query, key, value, attn_mask, dropout_p, is_causal, scale=scale, enable_gqa=enable_gqa)
    if _WATCHERS and not torch.compiler.is_compiling() and not query.is_meta:
        frame = current()
        module = calling_module(_KNOWN) if frame is None else frame.module
        if module is not None:
            _tell(module, lambda: _call_of_sdpa(frame, query, key, attn_mask, is_causal, scale))
    return found


def _call_of_sdpa(
    frame: Frame | None, query: Tensor, key: Tensor, mask: Tensor | None, causal: bool, scale: float | None
) -> Call:
    scale = query.shape[-1] ** -0.5 if scale is None else scale
    if frame is not None and frame.shape is not None and frame.shape != (query.shape[1], query.shape[2]):
        # A single query of grouped heads came as several queries of the heads of its keys.
        heads, queries = frame.shape
        if mask is not None and mask.dim() == 4 and mask.shape[1:3] != (1, 1):
            mask = mask.expand(-1, query.shape[1], query.shape[2], -1).reshape(-1, heads, queries, mask.shape[-1])
        query = query.reshape(-1, heads, queries, query.shape[-1])
    if query.dim() != 4:
        queries, keys = query.shape[-2], key.shape[-2]
        lead = torch.broadcast_shapes(query.shape[:-2], key.shape[:-2])
        heads = lead[-1] if len(lead) > 1 else 1
        if mask is not None and mask.dim() > 2:
            mask = mask.expand(*lead, queries, keys).reshape(-1, heads, queries, keys)
        query = query.expand(*lead, *query.shape[-2:]).reshape(-1, heads, *query.shape[-2:])
        key = key.expand(*lead, *key.shape[-2:]).reshape(-1, heads, *key.shape[-2:])
    return Call(query, key, scale, mask, offset=0 if causal else None)


def _exchange_torch() -> None:
    _exchange(F, "scaled_dot_product_attention", _sdpa)
    multihead, layer = nn.MultiheadAttention.forward, nn.TransformerEncoderLayer.forward

    @functools.wraps(multihead)
    def multihead_forward(self: nn.MultiheadAttention, *args: Any, **given: Any) -> Any:
        if self not in _KNOWN:
            return multihead(self, *args, **given)
        with inside(self) as frame:
            found = multihead(self, *args, **given)
        if not frame.seen and not torch.compiler.is_compiling():
            named = arguments_of(args, given)
            masks = named.get("key_padding_mask"), named.get("attn_mask")
            nested = named["query"].is_nested
            _tell(self, lambda: _nested_call(self, named["query"]) if nested else _multihead_call(self, named, *masks))
        return found

    @functools.wraps(layer)
    def layer_forward(self: nn.TransformerEncoderLayer, src: Tensor, *args: Any, **given: Any) -> Any:
        if self.self_attn not in _KNOWN:
            return layer(self, src, *args, **given)
        with inside(self.self_attn) as frame:
            found = layer(self, src, *args, **given)
        if not frame.seen and not torch.compiler.is_compiling():
            masks = {**dict(zip(("src_mask", "src_key_padding_mask"), args, strict=False)), **given}
            mask, padding = masks.get("src_mask"), masks.get("src_key_padding_mask")
            _tell(self.self_attn, lambda: layer_call(self, src, mask, padding))
        return found

    _exchange(nn.MultiheadAttention, "forward", multihead_forward)
    _exchange(nn.TransformerEncoderLayer, "forward", layer_forward)


def _multihead_call(
    module: nn.MultiheadAttention, named: dict[str, Any], padding: Tensor | None, mask: Tensor | None
) -> Call:
    return call_of(module, named["query"], named["key"], padding, mask)


def _nested_call(module: nn.MultiheadAttention, query: Tensor) -> Call:
    lengths = torch.tensor([len(part) for part in query.unbind()], device=query.device)
    padded = torch.nested.to_padded_tensor(query, 0.0)
    return call_of(module, padded, padded, lengths=lengths)


def _exchange_named(watcher: Watcher) -> None:
    """Where a model's file has imported the function itself, by whatever name."""
    files = {sys.modules.get(type(module).__module__) for module in watcher.modules}
    for file in files:
        if file is not None and file is not F:
            for name, value in list(vars(file).items()):
                if value is _SDPA:
                    _exchange(file, name, _sdpa)


# --- Hugging Face ---


def _exchange_interface() -> None:
    from transformers.modeling_utils import AttentionInterface

    if "get_interface" in vars(AttentionInterface) and hasattr(AttentionInterface.get_interface, "regard"):
        return
    by_name, by_key = AttentionInterface.get_interface, AttentionInterface.__getitem__

    @functools.wraps(by_name)
    def get_interface(self: Any, *args: Any, **given: Any) -> Any:
        return _observed(by_name(self, *args, **given))

    get_interface.regard = True  # type: ignore[attr-defined]

    def getitem(self: Any, name: str) -> Any:
        return _observed(by_key(self, name))  # type: ignore[no-untyped-call]

    _exchange(AttentionInterface, "get_interface", get_interface)
    if "__getitem__" in vars(AttentionInterface):
        _exchange(AttentionInterface, "__getitem__", getitem)
    else:
        AttentionInterface.__getitem__ = getitem  # type: ignore[method-assign]
        _RESTORE.append(lambda: delattr(AttentionInterface, "__getitem__"))


@functools.lru_cache(maxsize=256)
def _observed(backend: Callable[..., Any]) -> Callable[..., Any]:
    """A backend that tells of its calls."""
    if hasattr(backend, "regard") or not callable(backend):
        return backend

    @functools.wraps(backend)
    def attention(
        module: nn.Module, query: Tensor, key: Tensor, value: Tensor, mask: Any = None, *args: Any, **given: Any
    ) -> Any:
        if torch.compiler.is_compiling() or module not in _KNOWN:
            return backend(module, query, key, value, mask, *args, **given)
        with inside(module, (query.shape[1], query.shape[2])) as frame:
            found = backend(module, query, key, value, mask, *args, **given)
        if not frame.seen:
            _tell_backend(backend, module, query, key, mask, given, found)
        return found

    attention.regard = True  # type: ignore[attr-defined]
    return attention


def _tell_backend(
    backend: Any, module: nn.Module, query: Tensor, key: Tensor, mask: Any, given: dict[str, Any], found: Any
) -> None:
    weights = found[1] if isinstance(found, tuple) and len(found) > 1 else None
    scale = given.get("scaling")
    scale = query.shape[-1] ** -0.5 if scale is None else scale
    if isinstance(weights, Tensor) and weights.dim() == 4 and weights.shape[:3] == query.shape[:3]:
        _tell(module, lambda: Call(query, key, scale, matrix=weights.detach()))
        return
    read = flash_call(module, query, key, mask, scale, given)
    if read is None:
        name = getattr(backend, "__name__", "of this name")
        for watcher in _WATCHERS:
            if module in watcher.modules:
                watcher.miss(module, f"the backend {name} masks by a {type(mask).__name__}, which is not read")
        return
    _tell(module, lambda: read)


def flash_call(
    module: nn.Module, query: Tensor, key: Tensor, mask: Any, scale: float, given: dict[str, Any]
) -> Call | None:
    """The call by the arguments of backends that are given no matrix: padding (B, K), causality, window, cap, sinks."""
    padding = isinstance(mask, Tensor) and mask.dim() == 2
    if mask is not None and not padding and not (isinstance(mask, Tensor) and mask.dim() == 4):
        return None
    causal = given.get("is_causal")
    causal = getattr(module, "is_causal", False) if causal is None else causal
    queries, keys = query.shape[2], key.shape[2]
    offset = keys - queries if causal and (mask is None or padding) else None
    window, bias = given.get("sliding_window"), given.get("position_bias")
    if padding:
        mask = mask[:, None, None, -keys:].bool()
    if bias is not None:
        mask = bias if mask is None else torch.where(mask, bias, float("-inf")) if padding else mask + bias
    return Call(
        query,
        key,
        scale,
        mask,
        offset=offset,
        before=None if window is None or offset is None else window - 1,
        softcap=given.get("softcap"),
        sinks=given.get("s_aux"),
    )
