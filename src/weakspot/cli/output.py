"""What results look like on a terminal, for people; programs ask for ``--json``."""

from pathlib import Path
from typing import TYPE_CHECKING

from rich.text import Text

from zddc.console import err, out, table

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from weakspot.capture.approval import Waiting
    from weakspot.capture.redact_stored import Rescrubbed
    from weakspot.config import Config
    from weakspot.pipeline.collect import Collected, Examined, Imported
    from weakspot.pipeline.forget import Forgotten
    from weakspot.pipeline.process import Processed
    from weakspot.pipeline.run import Step
    from weakspot.pipeline.status import Status
    from weakspot.pipeline.validate import Report
    from weakspot.records import AdapterManifest, Release, Scorecard
    from weakspot.training.preflight import Together

_GIGA = 1e-9
_SHOWN = 20
_SHOWN_CHARACTERS = 60


def line(text: str) -> None:
    """Print one line as it is: nothing in it is markup."""
    out.print(text, markup=False)


def collected(found: "Collected") -> None:
    """One captured interaction."""
    metadata = found.interaction.metadata
    line(f"domain         {metadata.domain}")
    line(f"adapter        {found.adapter}")
    line(f"interaction_id {metadata.interaction_id}")
    line(f"timestamp      {metadata.timestamp}")
    line(f"file           {found.file}")


def examined(found: "Examined") -> None:
    """The consultations in other programs' files, as far as they are new."""
    files = ", ".join(_counted(count, name) for name, count in found.formats.items())
    consultations = _counted(len(found.found), "new consultation")
    line(f"{files}: {_counted(found.conversations, 'conversation')}, {consultations}")
    for one in found.found[:_SHOWN]:
        query = one.query if len(one.query) <= _SHOWN_CHARACTERS else f"{one.query[: _SHOWN_CHARACTERS - 1]}…"
        incomplete = ", incomplete" if one.incomplete else ""
        line(f"  {query}  {one.local_model or 'local model'} → {one.teacher}, {one.turns} turns{incomplete}")
    if len(found.found) > _SHOWN:
        line(f"  … and {len(found.found) - _SHOWN} more")
    if found.left_out:
        line(f"left out: {', '.join(f'{count} {reason}' for reason, count in found.left_out.items())}")
    if found.not_understood:
        line(f"not understood: {_counted(len(found.not_understood), 'file')}, as {found.not_understood[0]}")


def _counted(count: int, word: str) -> str:
    return f"{count} {word}{'' if count == 1 else 's'}"


def imported(done: "Imported") -> None:
    """What came of an import."""
    line(f"added {done.added}, already there {done.already_there}, bad {len(done.bad)}: {done.file}")


def bad_lines(done: "Imported") -> None:
    """What could not be imported, on standard error."""
    for bad in done.bad:
        err.print(f"{bad.file}:{bad.line}: {bad.reason}: {bad.detail}; mend the line and import again", markup=False)


def gateway(address: str, config: "Config") -> None:
    """Where the gateway listens, and what a client has to be told."""
    line(f"listening on {address} for {config.gateway.upstream}")
    line(f"clients: OPENAI_BASE_URL={address}/v1 or ANTHROPIC_BASE_URL={address}")
    for name, teacher in config.teachers.items():
        key = f", key from {teacher.api_key_env}" if teacher.api_key_env else ""
        line(f'teacher {name}: {teacher.model}, policy {teacher.policy}{key}; model "expert/{name}"')


def waiting(found: "list[Waiting]") -> None:
    """What waits for a person's permission."""
    rows = table("interaction", "teacher", "query")
    for one in found:
        rows.add_row(one.interaction_id, one.teacher, Text(" ".join(one.query.split())[:80]))
    if found:
        out.print(rows)
    line(f"{len(found)} wait for permission" + ("; weakspot allow ID..., --teacher NAME or --all" if found else ""))
    for terms in sorted({f"{one.teacher}: {one.terms}" for one in found if one.terms}):
        line(terms)


def rescrubbed(done: "Rescrubbed") -> None:
    """What scrubbing found, record by record."""
    for one in done.found:
        line(f"line {one.line} {one.interaction_id}: {', '.join(f'{n} {kind}' for kind, n in one.counts.items())}")
    verb = "scrubbed; run 'weakspot process'" if done.replaced else "would be scrubbed"
    line(f"{len(done.found)} of {done.lines} lines {verb}" if done.found else f"{done.lines} lines, nothing to scrub")
    if done.unreadable:
        line(f"{done.unreadable} lines are no interactions and were left as they are")


def forgotten(done: "Forgotten") -> None:
    """What became of a forgotten interaction."""
    line(f"forgot {done.interaction_id}: {done.lines} {'line' if done.lines == 1 else 'lines'} erased")
    if done.snapshots:
        line(f"snapshots that still hold it, marked: {', '.join(done.snapshots)}; remove them to be rid of it")
    if done.adapters:
        line(f"adapters that saw it, marked: {', '.join(done.adapters)}; train anew to be rid of it")


def processed(done: "Processed") -> None:
    """The dataset by domain and split, and what was left out."""
    if not done.changed:
        line(f"nothing changed since snapshot {done.snapshot}")
    rows = table("domain", "train", "val", "test", "all")
    for domain, splits in done.domains.items():
        rows.add_row(domain, *(str(count) for count in splits.values()), str(sum(splits.values())))
    out.print(rows)
    left_out = ", ".join(f"{count} {reason}" for reason, count in done.rejections.items()) or "none"
    line(f"{done.raw_lines} raw lines: {done.examples} examples, left out: {left_out}")
    line(f"snapshot {done.snapshot}")


def report(found: "Report") -> None:
    """The findings of every check, and the verdict."""
    colours = {"pass": "green", "warning": "yellow", "failure": "bold red"}
    rows = table("check", "", "finding")
    for finding in found.findings:
        detail = f"{finding.place}: {finding.detail}" if finding.place else finding.detail
        rows.add_row(finding.check, Text(finding.level, colours[finding.level]), Text(detail))
    out.print(rows)
    counts = found.counts
    train, val, test = (sum(d[split] for d in counts.domains.values()) for split in ("train", "val", "test"))
    examples = f"{counts.examples} examples ({train} train, {val} val, {test} test)"
    line(f"{counts.raw_lines} raw lines, {examples}, {counts.rejections} rejections")
    line(found.verdict)


def preflight(together: "Together") -> None:
    """What a training run will do, with the tokens under loss of one example of each adapter marked."""
    for plan in together.runs:
        trained_ = f"{', '.join(plan.modules)}; {plan.trainable:,} parameters trained"
        line(f"adapter   {plan.adapter} on {plan.base}, {plan.precision}")
        pairs = f", {plan.pairs} with a local answer to set against" if plan.pairs else ""
        line(f"examples  {plan.examples} train{pairs}, {plan.val_examples} val, {len(plan.left_out)} left out")
        for identity, reason in plan.left_out.items():
            line(f"left out  {identity}: {reason}")
        line(f"tokens    {plan.tokens:,}, {plan.supervised_share:.0%} under loss")
        line(f"too long  {plan.shortened} without their oldest turns, {plan.cut} cut")
        line(f"steps     {plan.steps}")
        line(f"layers    {plan.layers_touched} of {plan.layers}: {trained_}")
        line(f"coverage  {plan.coverage}")
        if out.is_terminal:
            marked = Text("under loss: ").append(plan.sample_prompt, "dim").append(plan.sample_target, "bold green")
            out.print(marked)
        else:
            line(f"one example, loss between the arrows: {plan.sample_prompt}>>>{plan.sample_target}<<<")
    memory = together.memory
    parts = (memory.weights, memory.adapters, memory.activations, memory.overhead)
    weights, adapters, activations, overhead = (f"{part * _GIGA:.1f}" for part in parts)
    line(f"device    {memory.device}")
    line(
        f"memory    {memory.peak * _GIGA:.1f} GB of {memory.capacity * _GIGA:.1f}: "
        f"base {weights}, adapters {adapters}, activations {activations}, process {overhead}"
    )
    line(
        f"passes    {memory.micro_batch_tokens:,} tokens; recompute: {memory.recompute}, "
        f"{memory.checkpointed_layers} of {memory.layers} layers"
    )
    if not memory.fits:
        err.print(
            "memory: this does not fit; lower [train] max_length, or take a smaller base or load_in_4bit", markup=False
        )


def trained(manifest: "AdapterManifest") -> None:
    """A finished adapter."""
    val = "" if manifest.val_loss is None else f", val loss {manifest.val_loss:.3f}"
    line(f"{manifest.name}: {manifest.steps} steps in {manifest.seconds} s, best at {manifest.best_step}{val}")
    line(f"next: weakspot evaluate {manifest.domain}")


def scorecard(card: "Scorecard", page: Path) -> None:
    """The comparisons, the verdict and where the page is."""
    rows = table("", "examples", "base", "adapter", "difference", "interval", "p", "")
    for c in (*card.comparisons, *card.harm):
        interval = f"{c.low:+.3f} … {c.high:+.3f}"
        figures = (str(c.n), f"{c.base:.3f}", f"{c.adapter:.3f}", f"{c.difference:+.3f}", interval, f"{c.p:.2g}")
        rows.add_row(c.metric, *figures, c.outcome)
    out.print(rows)
    if card.retrieval:
        arms = table("", "examples", "base", "base + retrieval", "adapter", "adapter + retrieval")
        for a in card.retrieval:
            means = (a.base, a.base_retrieval, a.adapter, a.adapter_retrieval)
            arms.add_row(a.metric, str(a.n), *(f"{mean:.3f}" for mean in means))
        out.print(arms)
    line(f"{card.adapter}: {card.verdict}")
    for sentence in (*card.reasons, *card.remarks):
        line(f"  {sentence}")
    line(f"report: {page}")


def release(done: "Release") -> None:
    """What answers now, where, and how it was proved."""
    verb = "in service" if done.action == "deploy" else "back in service"
    share = "" if done.share == 1 else f", for {done.share:.0%} of the questions"
    line(f"release {done.number}: {done.adapter or 'the base'} is {verb} for {done.domain} at {done.target}{share}")
    if done.location:
        line(f"{done.location}" + (f", asked for as {done.served_name}" if done.served_name else ""))
    if done.proof is not None:
        proof = done.proof
        line(
            f"post-flight: {proof.same_answers} of {proof.prompts} held-out prompts answered word for word alike"
            + ("" if proof.difference is None else f", {proof.difference:.2g} nats a token from the adapter")
            + f"; the adapter is {proof.change:.2g} from the base"
        )


def releases(found: "Sequence[Release]", live: "Collection[Release]") -> None:
    """Every release in a row, what answers now marked."""
    rows = table("", "release", "when", "who", "domain", "target", "adapter", "verdict", "share")
    for one in found:
        what = one.adapter or "the base"
        rows.add_row(
            "live" if one in live else "",
            f"{one.number} {one.action}",
            *(one.created, one.who, one.domain, one.target, what, one.verdict or "", f"{one.share:.0%}"),
        )
    out.print(rows)


def status(found: "Status") -> None:
    """Each domain in a row."""
    rows = table("domain", "examples", "new", "train/val/test", "adapter", "verdict", "in service", "due")
    for d in found.domains:
        splits = "/".join(str(count) for count in d.splits.values())
        service = "yes" if d.deployed else "no"
        adapter, verdict = d.adapter or "none", d.verdict or "none"
        rows.add_row(d.domain, str(d.examples), str(d.new), splits, adapter, verdict, service, d.due or "no")
    out.print(rows)
    line(f"{found.raw_lines} raw lines, {found.unprocessed} not processed; snapshot {found.snapshot or 'none'}")
    line(found.savings)
    if found.waiting:
        line(f"{found.waiting} wait for permission: weakspot allow")


def step(done: "Step") -> None:
    """One step of a run."""
    line(f"{done.stage:9} {done.domain or '':24} {done.outcome}")
