"""Asks the local model, an adapter on it, or a merged model, with the same prompt that a server would use."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, cast

from weakspot.config import Config
from weakspot.models import adapters, chat_template, generation, loading
from weakspot.models.chat_template import RenderOptions
from weakspot.models.loading import Base
from weakspot.progress import bar
from weakspot.workspace import AdapterName, Workspace
from zddc.errors import UserError

if TYPE_CHECKING:
    from torch import Tensor

    from weakspot.models.packed_attention import LanguageModel


def ask(
    workspace: Workspace, config: Config, questions: Sequence[str], adapter: AdapterName | None, *, merged: bool
) -> list[str]:
    """Return the greedy answer to each question, from the base, from base and adapter, or from the merged model."""
    model: LanguageModel
    manifest = adapters.read_manifest(workspace, adapter) if adapter else None
    thinking = manifest.thinking if manifest else config.model.thinking
    if manifest is not None and not merged:
        base, model, tokenizer = adapters.load(workspace, config, manifest)
    else:
        base = _require_merge(workspace, adapter) if adapter else loading.resolve_base(config.model, workspace.root)
        tokenizer = loading.load_tokenizer(base)
        with bar(f"loading {base.name}"):
            model = loading.load_model(base, loading.choose_dtype(config.train.precision))
    turns = [{"role": "user", "content": question} for question in questions]
    prompts = [chat_template.render(tokenizer, [turn], RenderOptions(thinking=thinking)) for turn in turns]
    ids = (token for prompt in prompts for token in chat_template.token_ids(tokenizer, prompt))
    rows = cast("Tensor", model.get_input_embeddings().weight).shape[0]
    loading.require_embedded_tokens(base, tokenizer, rows, ids)
    with bar("answering", len(prompts)) as advance:
        size, longest = config.evaluate.batch_size, config.evaluate.max_new_tokens
        return generation.generate_answers(model, tokenizer, prompts, longest, size, advance)


def _require_merge(workspace: Workspace, adapter: AdapterName) -> Base:
    if not workspace.merged_manifest(adapter).exists():
        raise UserError(str(adapter), "has no merged model", f"run 'weakspot deploy {adapter.domain}'")
    return Base(str(adapter), str(workspace.merged(adapter)), None)
