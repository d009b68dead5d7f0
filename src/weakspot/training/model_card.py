"""Writes an adapter's model card and the plot of its training loss."""

import io
import json
import re
from collections.abc import Sequence
from typing import Any

from weakspot.records import AdapterManifest
from weakspot.storage import atomic
from weakspot.workspace import AdapterName, Workspace
from zddc.visible import visible

# What Markdown or HTML would take for its own.
_MARKDOWN = re.compile(r"([\\`*_{}\[\]<>()#+!|~&$])")

_CARD = """\
---
base_model: {base_model}
library_name: peft
tags: [lora, weakspot]
---

# {name}

A LoRA adapter that patches one weak spot of {base}: {domain}.
It was trained on {examples} expert consultations of snapshot {snapshot}, on the expert's answers only.

| | |
|---|---|
| domain | {domain} |
| base | {base} ({revision}) |
| rank, alpha, dropout | {rank}, {alpha}, {dropout} |
| layers | {modules} |
| learning rate, seed | {learning_rate}, {seed} |
| steps, best step | {steps}, {best_step} |
| last train loss, best val loss (nats a token) | {train_loss:.3f}, {val_loss} |

```python
from peft import AutoPeftModelForCausalLM

model = AutoPeftModelForCausalLM.from_pretrained("{name}")
```

`weakspot evaluate` writes its scores on unseen test examples to `{page}`.
"""


def write_model_card(
    workspace: Workspace, name: AdapterName, manifest: AdapterManifest, metrics: Sequence[dict[str, Any]]
) -> None:
    """Write ``README.md`` and ``loss.png`` into the adapter's folder."""
    train, lora = manifest.settings["train"], manifest.settings["lora"]
    modules = lora["target_modules"]
    text = _CARD.format(
        base_model=json.dumps(manifest.base.name),
        base=_as_markdown(manifest.base.name),
        page=workspace.evaluation_page(name).name,
        revision=_as_markdown(manifest.base.revision or "local"),
        name=manifest.name,
        domain=_as_markdown(manifest.domain),
        examples=manifest.examples,
        snapshot=_as_markdown(manifest.snapshot),
        rank=lora["rank"],
        alpha=lora["alpha"],
        dropout=lora["dropout"],
        modules=_as_markdown(modules if isinstance(modules, str) else ", ".join(modules)),
        learning_rate=train["learning_rate"],
        seed=manifest.seed,
        steps=manifest.steps,
        best_step=manifest.best_step,
        train_loss=manifest.train_loss,
        val_loss="no val example" if manifest.val_loss is None else f"{manifest.val_loss:.3f}",
    )
    atomic.write_atomically(workspace.adapter_card(name), text.encode())
    atomic.write_atomically(workspace.adapter_curve(name), loss_curve(metrics, manifest.best_step))


def _as_markdown(text: str) -> str:
    """Return ``text`` as one line of Markdown that shows it as it is, also in a table."""
    return _MARKDOWN.sub(r"\\\1", visible(" ".join(text.split())))


def loss_curve(metrics: Sequence[dict[str, Any]], best_step: int) -> bytes:
    """Return a PNG plot of training and validation loss by step."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(7, 4), layout="constrained")
    axes = figure.subplots()
    axes.plot([m["step"] for m in metrics], [m["loss"] for m in metrics], label="train")
    val = [m for m in metrics if m.get("val_loss") is not None]
    if val:
        axes.plot([m["step"] for m in val], [m["val_loss"] for m in val], "o-", label="val")
        axes.axvline(best_step, linestyle=":", color="grey", label="kept")
    axes.set_xlabel("step")
    axes.set_ylabel("loss, nats a token")
    axes.set_ylim(bottom=0)
    axes.legend()
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=100)
    return buffer.getvalue()
