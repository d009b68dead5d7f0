"""Renders a scorecard as one self-contained HTML page: verdict, tables, plot, and answers side by side."""

import io
from collections.abc import Sequence

from weakspot.records import AdapterManifest, Scorecard, ScoredExample
from zddc.visible import visible


def page(card: Scorecard, manifest: AdapterManifest) -> str:
    """Return the scorecard as an HTML page. All text is escaped and visible, and nothing is loaded."""
    from jinja2 import Environment, PackageLoader

    others = {comparison.metric for comparison in card.harm}
    rows = [row for row in card.rows if row.domain not in others]
    templates = Environment(
        loader=PackageLoader("weakspot.evaluation"),
        autoescape=True,
        finalize=lambda value: visible(value) if type(value) is str else value,
    )
    template = templates.get_template("scorecard.html")
    return template.render(card=card, manifest=manifest, rows=rows, scatter=scatter(card.rows, others))


def scatter(rows: Sequence[ScoredExample], others: set[str]) -> str:
    """Return an SVG scatter plot: each example's loss under the base (x axis) and under the adapter (y axis)."""
    import matplotlib
    from matplotlib.figure import Figure

    figure = Figure(figsize=(6, 5), layout="constrained")
    axes = figure.subplots()
    for label, part in (
        ("own domain", [row for row in rows if row.domain not in others]),
        ("other domains", [row for row in rows if row.domain in others]),
    ):
        if part:
            axes.scatter([r.base_loss for r in part], [r.adapter_loss for r in part], label=label, alpha=0.6)
    limit = 1.05 * max(max(row.base_loss, row.adapter_loss) for row in rows)
    axes.plot([0, limit], [0, limit], color="grey", linestyle=":")
    axes.set(xlabel="base, nats a token", ylabel="adapter, nats a token", xlim=(0, limit), ylim=(0, limit))
    axes.legend()
    buffer = io.StringIO()
    with matplotlib.rc_context({"svg.hashsalt": "weakspot"}):
        figure.savefig(buffer, format="svg", metadata={"Date": None})
    text = buffer.getvalue()
    return text[text.index("<svg") :]
