"""Keys and values of prompts that were read in one row, put into a batch with room for the tokens that follow."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from transformers import Cache
from transformers.cache_utils import DynamicLayer


@dataclass(frozen=True)
class ReadPrompt:
    """A prompt's ids, and each layer's keys and values ``[heads, tokens, width]`` of all of them but the last."""

    ids: Sequence[int]
    layers: list[tuple[torch.Tensor, torch.Tensor]]

    @classmethod
    def of(cls, row: Cache, ids: Sequence[int], *spans: range) -> "ReadPrompt":
        """Take a prompt that stands at ``spans`` of a row, one behind the other, out of the row's cache."""
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
    """One layer's keys and values in buffers with room: a token is written in place, and nothing is copied for it."""

    def __init__(self, keys: torch.Tensor, values: torch.Tensor, length: int) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.dtype, self.device, self.is_initialized = keys.dtype, keys.device, True
        self._buffers, self._length = (keys, values), length
        self._show()

    def update(
        self, key_states: torch.Tensor, value_states: torch.Tensor, *args: object, **kwargs: object
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Write keys and values ``[batch, heads, new, width]`` behind those that are there, and return all of them."""
        end = self._length + key_states.shape[-2]
        for buffer, new in zip(self._buffers, (key_states, value_states), strict=True):
            buffer[:, :, self._length : end] = new
        self._length = end
        return self._show()

    def batch_select_indices(self, indices: torch.Tensor) -> None:
        """Keep these sequences of the batch only."""
        self._buffers = (self._buffers[0][indices], self._buffers[1][indices])
        self._show()

    def _show(self) -> tuple[torch.Tensor, torch.Tensor]:
        keys, values = (buffer[:, :, : self._length] for buffer in self._buffers)
        self.keys, self.values = keys, values
        return keys, values


def batch_of(prompts: Sequence[ReadPrompt], room: int) -> Cache:
    """Return the cache of a batch of prompts, padded on the left with zeros, with ``room`` for so many tokens more."""
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
