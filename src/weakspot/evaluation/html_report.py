"""Renders a scorecard as one self-contained HTML page: verdict, tables, plot, and answers side by side."""

import io
from collections.abc import Sequence

from weakspot.records import AdapterManifest, Scorecard, ScoredExample

_PAGE = """\
<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'; img-src data:">
<title>{{ card.adapter }}: {{ card.verdict }}</title>
<style>
:root { color-scheme: light dark; font: 16px/1.5 system-ui, sans-serif; }
body { max-width: 70rem; margin: 2rem auto; padding: 0 1rem; }
h1 span { padding: .1em .5em; border-radius: .3em; color: #fff; }
.accept { background: #1a7f37 } .reject { background: #b42318 } .not { background: #6b5900 }
table { border-collapse: collapse; margin: 1rem 0; } th, td { padding: .3rem .8rem; border-bottom: 1px solid #8884; }
td { text-align: right; font-variant-numeric: tabular-nums; } td:first-child, th:first-child { text-align: left; }
.better { color: #1a7f37 } .worse { color: #d92d20 }
svg { max-width: 100%; height: auto; background: #fff; border-radius: .3rem; }
.answers { display: grid; grid-template-columns: repeat(auto-fit, minmax(16rem, 1fr)); gap: 1rem; }
pre { white-space: pre-wrap; overflow-wrap: anywhere; background: #8881; padding: .6rem; border-radius: .3rem; margin: .2rem 0; }
details { border-top: 1px solid #8884; padding: .4rem 0; } summary { cursor: pointer; }
</style>
<h1>{{ card.adapter }} <span class="{{ card.verdict.split()[0] }}">{{ card.verdict }}</span></h1>
{% for reason in card.reasons + card.remarks %}<p>{{ reason }}</p>{% endfor %}
<p>Base {{ card.base.name }}, trained on {{ manifest.examples }} consultation{{ "" if manifest.examples == 1 else "s" }} of snapshot {{ manifest.snapshot }},
{{ manifest.steps }} steps. No test example was trained on.</p>
{% macro table(title, rows) %}
<h2>{{ title }}</h2>
<table>
<tr><th></th><th>examples</th><th>base</th><th>adapter</th><th>difference</th><th>interval</th><th>p</th><th></th></tr>
{% for c in rows %}
<tr><td>{{ c.metric }}</td><td>{{ c.n }}</td><td>{{ "%.3f"|format(c.base) }}</td><td>{{ "%.3f"|format(c.adapter) }}</td>
<td>{{ "%+.3f"|format(c.difference) }}</td><td>{{ "%+.3f"|format(c.low) }} … {{ "%+.3f"|format(c.high) }}</td>
<td>{{ "%.2g"|format(c.p) }}</td>
<td class="{{ c.outcome }}">{{ c.outcome }}{% if c.needed %}, about {{ c.needed }} examples would decide{% endif %}</td></tr>
{% endfor %}
</table>
{% endmacro %}
{{ table("On its own domain", card.comparisons) }}
{% if card.harm %}{{ table("Loss per token on other domains", card.harm) }}{% endif %}
{% if card.retrieval %}
<h2>Compared with retrieval</h2>
<p>With retrieval, the model is given past expert answers to similar questions before each question. The last two
columns compare the adapter with base + retrieval.</p>
<table>
<tr><th></th><th>examples</th><th>base</th><th>base + retrieval</th><th>adapter</th><th>adapter + retrieval</th><th>p</th><th></th></tr>
{% for a in card.retrieval %}
<tr><td>{{ a.metric }}</td><td>{{ a.n }}</td>
{%- for mean in (a.base, a.base_retrieval, a.adapter, a.adapter_retrieval) %}<td>{{ "%.3f"|format(mean) }}</td>{% endfor %}
<td>{{ "%.2g"|format(a.p) }}</td><td class="{{ a.outcome }}">{{ a.outcome }}</td></tr>
{% endfor %}
</table>
{% endif %}
<h2>Example by example</h2>
<p>Loss on the expert's answer in nats a token, under the base and under the adapter: below the line the adapter is better.</p>
{{ scatter | safe }}
<h2>Side by side</h2>
{% for row in rows %}
<details{% if loop.index <= 3 %} open{% endif %}>
<summary>{{ row.query[:120] }} · loss {{ "%.2f"|format(row.base_loss) }} → {{ "%.2f"|format(row.adapter_loss) }}
{%- if row.base_exact is not none %} · exact {{ "yes" if row.base_exact else "no" }} → {{ "yes" if row.adapter_exact else "no" }}{% endif %}</summary>
<pre>{{ row.query }}</pre>
<div class="answers">
<div>expert<pre>{{ row.expert }}</pre></div>
<div>local, as captured<pre>{{ row.local }}</pre></div>
{% if row.base_answer is not none %}<div>base<pre>{{ row.base_answer }}</pre></div>
<div>adapter<pre>{{ row.adapter_answer }}</pre></div>{% endif %}
</div>
</details>
{% endfor %}
<p>{{ card.created }} · {{ card.adapter_sha256[:16] }}</p>
</html>
"""


def page(card: Scorecard, manifest: AdapterManifest) -> str:
    """Return the scorecard as an HTML page. All text is escaped, and the page cannot load anything from elsewhere."""
    from jinja2 import Environment

    others = {comparison.metric for comparison in card.harm}
    rows = [row for row in card.rows if row.domain not in others]
    template = Environment(autoescape=True).from_string(_PAGE)
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
