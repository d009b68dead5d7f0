"""Charts for the pages, as SVG documents."""

import io
from typing import TYPE_CHECKING

from weakspot.records.parsing import RecordError, parse_json_object
from weakspot.storage import append_log
from weakspot.workspace import AdapterName, Workspace

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def training_curve(workspace: Workspace, name: AdapterName, best_step: int) -> str:
    """Return an SVG of an adapter's losses by step, nats a token; an incomplete last line is skipped."""
    from matplotlib.figure import Figure
    from matplotlib.ticker import MaxNLocator

    steps, losses, val_steps, val_losses = [], [], [], []
    for line in append_log.read_lines(workspace.adapter_metrics(name)):
        try:
            metrics = parse_json_object(line.data)
        except RecordError:
            continue
        steps.append(metrics["step"])
        losses.append(metrics["loss"])
        if metrics.get("val_loss") is not None:
            val_steps.append(metrics["step"])
            val_losses.append(metrics["val_loss"])
    figure = Figure(figsize=(6, 3), layout="constrained")
    axes = figure.subplots()
    axes.plot(steps, losses, color="#5b7fa6", label="train")
    if val_steps:
        axes.plot(val_steps, val_losses, "o-", color="#b5713c", label="val")
        axes.axvline(best_step, linestyle=":", color="grey", label="kept")
    axes.spines[["top", "right"]].set_visible(False)
    axes.set(xlabel="step", ylabel="loss, nats a token", ylim=(0, 1.08 * max([*losses, *val_losses], default=1)))
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.legend(frameon=False)
    return svg(figure)


def svg(figure: "Figure") -> str:
    """Return a figure as an SVG document that is the same each time."""
    import matplotlib

    buffer = io.StringIO()
    with matplotlib.rc_context({"svg.hashsalt": "weakspot"}):
        figure.savefig(buffer, format="svg", metadata={"Date": None})
    return buffer.getvalue()
