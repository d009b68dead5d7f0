"""Key-value caches of prompts from a packed pass, copied into a batch with room for the generated tokens."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from transformers import Cache
from transformers.cache_utils import DynamicLayer


@dataclass(frozen=True)
class PrefilledPrompt:
    """A prompt's ids, and the keys and values ``[heads, tokens, width]`` of each layer for all but the last id."""

    ids: Sequence[int]
    layers: list[tuple[torch.Tensor, torch.Tensor]]

    @classmethod
    def of(cls, row: Cache, ids: Sequence[int], *spans: range) -> "PrefilledPrompt":
        """Copy a prompt out of the cache of a packed pass; ``spans`` are its places there, in order."""
        layers = []
        read: list[Any] = row.layers
        for layer in read:
            parts = [
                torch.cat([whole[0][:, span.start : span.stop] for span in spans], 1)[:, :-1]
                for whole in (layer.keys, layer.values)
            ]
            layers.append((parts[0], parts[1]))
        return cls(ids, layers)


class GrowingLayer(DynamicLayer):
    """Keys and values of one layer in preallocated buffers: a token is written in place, without a copy."""

    def __init__(self, keys: torch.Tensor, values: torch.Tensor, length: int) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.dtype, self.device, self.is_initialized = keys.dtype, keys.device, True
        self._buffers, self._length = (keys, values), length
        self._update_views()

    def update(
        self, key_states: torch.Tensor, value_states: torch.Tensor, *args: object, **kwargs: object
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Append keys and values ``[batch, heads, new, width]``, and return all of them."""
        end = self._length + key_states.shape[-2]
        for buffer, new in zip(self._buffers, (key_states, value_states), strict=True):
            buffer[:, :, self._length : end] = new
        self._length = end
        return self._update_views()

    def batch_select_indices(self, indices: torch.Tensor) -> None:
        """Keep only these sequences of the batch."""
        self._buffers = (self._buffers[0][indices], self._buffers[1][indices])
        self._update_views()

    def _update_views(self) -> tuple[torch.Tensor, torch.Tensor]:
        keys, values = (buffer[:, :, : self._length] for buffer in self._buffers)
        self.keys, self.values = keys, values
        return keys, values


def build_batch_cache(prompts: Sequence[PrefilledPrompt], room: int) -> Cache:
    """Return a cache of the prompts as one batch, padded with zeros on the left, with ``room`` more tokens each."""
    length = max(len(one.ids) for one in prompts) - 1
    layers: list[Any] = []
    for parts in zip(*(one.layers for one in prompts), strict=True):
        buffers = []
        for each in zip(*parts, strict=True):
            heads, _, width = each[0].shape
            buffer = each[0].new_zeros(len(prompts), heads, length + room, width)
            for number, part in enumerate(each):
                buffer[number, :, length - part.shape[1] : length] = part
            buffers.append(buffer)
        layers.append(GrowingLayer(buffers[0], buffers[1], length))
    return Cache(layers=layers)
