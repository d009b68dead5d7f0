"""Prints results for people; programs use ``--json`` instead."""

from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING

from rich.text import Text

from zddc.addresses import hide_password
from zddc.console import err, out, table
from zddc.visible import visible

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from weakspot.config import Config
    from weakspot.deployment.control import Control
    from weakspot.pipeline.doctor import Finding
    from weakspot.pipeline.process import Processed
    from weakspot.pipeline.quantize import QuantisedBase
    from weakspot.pipeline.run import Step
    from weakspot.pipeline.status import ClientBudget, Status
    from weakspot.pipeline.validate import Report
    from weakspot.records import AdapterManifest, EffectProof, Release, Scorecard
    from weakspot.training.memory_plan import MemoryPlan
    from weakspot.training.preflight import TrainingPlan

_GIGA = 1e-9


def print_line(text: str) -> None:
    """Print one line."""
    out.print(text)


def _print_waiting(count: int) -> None:
    print_line(f"{format_count(count, 'interaction')} waiting for permission: weakspot allow")


def format_count(count: int, word: str) -> str:
    """Return a number of things: the word is one of them."""
    return f"{count} {word}{'' if count == 1 else 's'}"


def format_counts(counts: "Mapping[str, int]") -> str:
    """Return how often each reason occurred."""
    return ", ".join(f"{count} {reason}" for reason, count in counts.items())


def print_gateway(address: str, config: "Config") -> None:
    """Print the gateway's address, the client settings, and the teachers."""
    from weakspot.teachers import key_from

    print_line(f"listening on {address} for {hide_password(config.gateway.upstream)}")
    print_line(f"clients: OPENAI_BASE_URL={address}/v1 or ANTHROPIC_BASE_URL={address}")
    for name, teacher in config.teachers.items():
        variable = teacher.api_key_env
        missing = "" if key_from(variable) else ", which is not set"
        key = f", key from {variable}{missing}" if variable else ""
        print_line(f'teacher {name}: {teacher.model}, policy {teacher.policy}{key}; model "expert/{name}"')


def print_dataset(done: "Processed") -> None:
    """Print the dataset by domain and split, and the number of rejected lines."""
    if not done.changed:
        print_line(f"nothing changed since snapshot {done.snapshot}")
    rows = table("domain", "train", "val", "test", "all")
    for domain, splits in done.domains.items():
        rows.add_row(domain, *(str(count) for count in splits.values()), str(sum(splits.values())))
    if done.domains:
        out.print(rows)
    left_out = format_counts(done.rejections) or "none"
    print_line(
        f"{format_count(done.raw_lines, 'raw line')}: {format_count(done.examples, 'example')}, left out: {left_out}"
    )
    print_line(f"snapshot {done.snapshot}")
    if waiting := done.rejections.get("policy-ask"):
        _print_waiting(waiting)


def print_report(found: "Report") -> None:
    """Print the findings of every check, and the verdict."""
    colours = {"pass": "green", "warning": "yellow", "failure": "bold red"}
    rows = table("check", "", "finding")
    for finding in found.findings:
        detail = f"{finding.place}: {finding.detail}" if finding.place else finding.detail
        rows.add_row(finding.check, Text(finding.level, colours[finding.level]), detail)
    out.print(rows)
    counts = found.counts
    train, val, test = (sum(d[split] for d in counts.domains.values()) for split in ("train", "val", "test"))
    examples = f"{format_count(counts.examples, 'example')} ({train} train, {val} val, {test} test)"
    print_line(
        f"{format_count(counts.raw_lines, 'raw line')}, {examples}, {format_count(counts.rejections, 'rejection')}"
    )
    print_line(found.verdict)


def print_preflight(together: "TrainingPlan") -> None:
    """Print what a training run will do, and one example of each adapter with the tokens under loss marked."""
    for plan in together.runs:
        trained_ = f"{', '.join(plan.modules)}; {plan.trainable:,} parameters trained"
        print_line(f"adapter   {plan.adapter} on {plan.base}, {plan.precision}")
        pairs = f", {plan.pairs} paired with a local answer" if plan.pairs else ""
        reasons = f" ({format_counts(plan.reasons)})" if plan.reasons else ""
        left_out = f"{len(plan.left_out)} left out{reasons}"
        print_line(f"examples  {plan.examples} train{pairs}, {plan.val_examples} val, {left_out}")
        for identity, reason in plan.left_out.items():
            print_line(f"left out  {identity}: {reason}")
        print_line(f"thinking  {plan.thinking}")
        print_line(f"tokens    {plan.tokens:,}, {plan.supervised_share:.0%} under loss")
        print_line(f"too long  {plan.shortened} without their oldest turns, {plan.cut} cut")
        print_line(f"steps     {plan.steps}")
        print_line(f"layers    {plan.layers_touched} of {plan.layers}: {trained_}")
        print_line(f"coverage  {plan.coverage}")
        if out.is_terminal:
            marked = Text("under loss: ")
            marked.append(visible(plan.sample_prompt), "dim").append(visible(plan.sample_target), "bold green")
            out.print(marked)
        else:
            print_line(f"one example, loss between the arrows: {plan.sample_prompt}>>>{plan.sample_target}<<<")
    _print_memory_plan(together.memory)
    for remark in together.remarks:
        err.print(remark, markup=False)


def _print_memory_plan(memory: "MemoryPlan") -> None:
    parts = (memory.weights, memory.adapters, memory.activations, memory.overhead)
    weights, adapters, activations, overhead = (f"{part * _GIGA:.1f}" for part in parts)
    print_line(f"device    {memory.device}")
    print_line(
        f"memory    {memory.peak * _GIGA:.1f} GB of {memory.capacity * _GIGA:.1f}: "
        f"base {weights}, adapters {adapters}, activations {activations}, process {overhead}"
    )
    print_line(
        f"passes    {memory.micro_batch_tokens:,} tokens; recompute: {memory.recompute}, "
        f"{memory.checkpointed_layers} of {memory.layers} layers"
    )
    if not memory.fits:
        err.print("memory: this does not fit; lower [train] max_length, or take a smaller base or load_in_4bit")


def print_control(found: "Control") -> None:
    """Print how near an adapter of zeros stays to its base."""
    print_line(
        f"control: zeros merged into the base answer {found.same_answers} of {found.prompts} prompts as it does, "
        f"{found.difference:.2g} nats a token apart, at most {found.limit:g} allowed"
    )


def print_quantised(done: "QuantisedBase", experts: str) -> None:
    """Print the sizes of a quantised base, and how it is used."""
    from rich.filesize import decimal

    sizes = f"routed experts in {experts} {decimal(done.experts_bytes)}, the rest {decimal(done.rest_bytes)}"
    print_line(f"wrote {done.folder}: {sizes}")
    print_line(f'next: set [model] base = "{done.folder}" in weakspot.toml, and serve the same folder')


def print_adapter(manifest: "AdapterManifest") -> None:
    """Print a trained adapter, and the next command."""
    val = "" if manifest.val_loss is None else f", val loss {manifest.val_loss:.3f}"
    steps = format_count(manifest.steps, "step")
    print_line(f"{manifest.name}: {steps} in {manifest.seconds} s, best at {manifest.best_step}{val}")
    print_line(f"next: weakspot evaluate {manifest.domain}")


def print_scorecard(card: "Scorecard", page: Path) -> None:
    """Print the comparisons, the verdict, and the path of the report."""
    rows = table("", "examples", "base", "adapter", "difference", "interval", "p", "")
    for c in (*card.comparisons, *card.harm):
        interval = "" if c.low is None else f"{c.low:+.3f} … {c.high:+.3f}"
        p = "" if c.p is None else f"{c.p:.2g}"
        figures = (str(c.n), f"{c.base:.3f}", f"{c.adapter:.3f}", f"{c.difference:+.3f}", interval, p)
        rows.add_row(c.metric, *figures, c.outcome)
    out.print(rows)
    if card.retrieval:
        arms = table("", "examples", "base", "base + retrieval", "adapter", "adapter + retrieval")
        for a in card.retrieval:
            means = (a.base, a.base_retrieval, a.adapter, a.adapter_retrieval)
            arms.add_row(a.metric, str(a.n), *(f"{mean:.3f}" for mean in means))
        out.print(arms)
    if card.left_out:
        print_line(f"left out: {format_counts(card.left_out)}")
    print_line(f"{card.adapter}: {card.verdict}")
    for sentence in (*card.reasons, *card.remarks):
        print_line(f"  {sentence}")
    print_line(f"report: {page}")


def print_release(done: "Release") -> None:
    """Print a release: what answers now, where, and the proof."""
    verb = "in service" if done.action == "deploy" else "back in service"
    share = "" if done.share == 1 else f", for {done.share:.0%} of the questions"
    print_line(
        f"release {done.number}: {done.adapter or 'the base'} is {verb} for {done.domain} at {done.target}{share}"
    )
    if done.location:
        print_line(hide_password(done.location) + (f", asked for as {done.served_name}" if done.served_name else ""))
    if done.target in ("merged", "gguf", "mlx") and _is_private(Path(done.location)):
        print_line("only you may read it: for a server of another account copy it, or set [workspace] group_readable")
    if done.proof is not None:
        proof = done.proof
        print_line(
            f"post-flight: {proof.same_answers} of {proof.prompts} held-out prompts answered exactly like the adapter"
            + ("" if proof.difference is None else f", {proof.difference:.2g} nats a token from the adapter")
            + f"; the adapter is {proof.change:.2g} from the base"
        )
        print_line(_format_effect(proof.effect))


def _format_effect(effect: "EffectProof | None") -> str:
    """Return how much of the adapter the served model applies."""
    if effect is None:
        return (
            "the effect on the experts' answers was not compared: nothing says how likely a given answer is, so a part "
            "of the adapter may be missing"
        )
    tokens = format_count(effect.tokens, "token")
    base = "" if effect.noise is None else f"; its base is {effect.noise:.2g} nats a token from the trained one"
    return (
        f"effect on {tokens} of the experts' answers: {effect.slope:.3f} of the trained one ({effect.low:.3f} … "
        f"{effect.high:.3f}), {effect.apart:.2%} of it otherwise, where {effect.limit:.2%} may be{base}"
    )


def _is_private(place: Path) -> bool:
    return place.exists() and not place.stat().st_mode & 0o004


def print_releases(found: "Sequence[Release]", live: "Collection[Release]") -> None:
    """Print every release as a table, and mark those that are live."""
    rows = table("", "release", "when", "who", "domain", "target", "adapter", "verdict", "share")
    for one in found:
        what = one.adapter or "the base"
        rows.add_row(
            "live" if one in live else "",
            f"{one.number} {one.action}",
            *(one.created, one.who, one.domain, one.target, what, one.verdict or "", f"{one.share:.0%}"),
        )
    out.print(rows)


def print_status(found: "Status") -> None:
    """Print the status of each domain as a table, and a summary."""
    rows = table("domain", "examples", "new", "train/val/test", "adapter", "verdict", "in service", "due")
    for d in found.domains:
        splits = "/".join(str(count) for count in d.splits.values())
        service = "yes" if d.deployed else "no"
        adapter, verdict = d.adapter or "none", d.verdict or "none"
        rows.add_row(d.domain, str(d.examples), str(d.new), splits, adapter, verdict, service, d.due or "no")
    if found.domains:
        out.print(rows)
    raw = format_count(found.raw_lines, "raw line")
    print_line(f"{raw}, {found.unprocessed} not processed; snapshot {found.snapshot or 'none'}")
    print_line(found.savings)
    if found.waiting:
        _print_waiting(found.waiting)
    if found.unfitted:
        print_line(f"{format_count(found.unfitted, 'consultation')} not fit to train on: weakspot validate")
    used = [(one.teacher, one) for one in found.budgets], [(f"client {one.client}", one) for one in found.clients]
    for name, budget in chain(*used):
        if budget.usd_last_24_hours or budget.consultations_last_hour:
            print_line(f"{name}: {budget.shown}")
    for one in found.unheard:
        messages = f"{format_count(one.count, 'message')} of {one.client}"
        print_line(f"{messages} seemed to ask for an expert, but went to the local model; the latest: {one.latest!r}")


def print_clients(found: "list[ClientBudget]") -> None:
    """Print the named clients, and what is left of their limits."""
    for one in found:
        print_line(f"{one.client}: {one.shown}")
    if not found:
        print_line("no client has a key of its own; weakspot keys client NAME makes one")


def print_client_key(name: str, key: str) -> None:
    """Print a new key, and what to do with it."""
    print_line(f"the key of {name}, which is shown this once: {key}")
    print_line('the client sends it as its API key ("Authorization: Bearer ..." or x-api-key)')


def print_diagnosis(found: "Sequence[Finding]") -> None:
    """Print one line for each finding: how it is, and what to do next where it is not well."""
    for one in found:
        print_line(f"{one.level:8} {one.section:9} {one.text}{f'; {one.remedy}' if one.remedy else ''}")


def print_step(done: "Step") -> None:
    """Print one step of a run."""
    print_line(f"{done.stage:9} {done.domain or '':24} {done.outcome}")
