"""Loads quantised checkpoints through transformers, straight from their files into the layers that keep their bits."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from transformers.core_model_loading import MergeModulelist, WeightConverter
from transformers.quantizers.auto import register_quantization_config, register_quantizer
from transformers.quantizers.base import HfQuantizer
from transformers.utils.quantization_config import QuantizationConfigMixin

from weakspot.models import frozen_layers
from weakspot.models.quantised_weights import QuantisedLayer
from weakspot.models.vllm_names import ROUTED_EXPERT_MATRICES

if TYPE_CHECKING:
    from transformers import PreTrainedModel

_METHOD = "weakspot"


@register_quantization_config(_METHOD)
class FrozenConfig(QuantizationConfigMixin):
    """Tells transformers to keep the bits of these layers of the base ``name``."""

    def __init__(self, layers: Mapping[str, QuantisedLayer], name: str) -> None:
        self.quant_method, self.layers, self.name = _METHOD, layers, name  # type: ignore[assignment]


@register_quantizer(_METHOD)
class _FrozenQuantizer(HfQuantizer):
    """Puts frozen layers in the place of dense ones before any weight is read."""

    is_trainable = True

    def __init__(self, settings: FrozenConfig, **_options: Any) -> None:
        super().__init__(settings, pre_quantized=True)
        self._layers, self._name = settings.layers, settings.name

    def is_serializable(self) -> bool:
        return False

    def _process_model_before_weight_loading(self, model: "PreTrainedModel", **_options: Any) -> None:
        frozen_layers.install(model, self._layers, self._name)

    def update_weight_conversions(self, weight_conversions: list[Any], model: "PreTrainedModel") -> list[Any]:
        """Stack what the files have for each expert; what transformers makes of dense experts is left out."""
        blocks = [module for module in model.modules() if isinstance(module, frozen_layers.FrozenExperts)]
        if not blocks:
            return weight_conversions
        dense = [
            one
            for one in weight_conversions
            if isinstance(one, WeightConverter) and any(".experts." in f".{to}" for to in one._original_target_patterns)
        ]
        stacked = [
            WeightConverter(f".experts.*.{name}.{part}", f".experts.{name}.{part}", [MergeModulelist(dim=0)])
            for name in ROUTED_EXPERT_MATRICES
            for part in getattr(blocks[0], name).parts
        ]
        return [one for one in weight_conversions if one not in dense] + stacked

    def _process_model_after_weight_loading(self, model: "PreTrainedModel", **_options: Any) -> "PreTrainedModel":
        self.remove_quantization_config(model)  # type: ignore[no-untyped-call]
        return model
