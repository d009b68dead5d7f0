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

    from weakspot.capture.approval import WaitingInteraction
    from weakspot.capture.redact_stored import Rescrubbed
    from weakspot.capture.unfitted import Retried
    from weakspot.config import Config
    from weakspot.deployment.control import Control
    from weakspot.importers.importer import ImportCandidate
    from weakspot.pipeline.collect import Collected, Examined, Imported
    from weakspot.pipeline.doctor import Finding
    from weakspot.pipeline.forget import Forgotten, Retrained
    from weakspot.pipeline.process import Processed
    from weakspot.pipeline.quantize import QuantisedBase
    from weakspot.pipeline.run import Step
    from weakspot.pipeline.status import ClientBudget, Status
    from weakspot.pipeline.validate import Report
    from weakspot.records import AdapterManifest, EffectProof, Release, Scorecard
    from weakspot.training.memory_plan import MemoryPlan
    from weakspot.training.preflight import TrainingPlan

_GIGA = 1e-9
_SHOWN = 20
_SHOWN_CHARACTERS = 60


def print_line(text: str) -> None:
    """Print one line."""
    out.print(text)


def print_capture(found: "Collected") -> None:
    """Print one captured interaction."""
    metadata = found.interaction.metadata
    print_line(f"domain         {metadata.domain}")
    print_line(f"adapter        {found.adapter}")
    print_line(f"interaction_id {metadata.interaction_id}")
    print_line(f"timestamp      {metadata.timestamp}")
    print_line(f"file           {found.file}")


def print_import_preview(found: "Examined") -> None:
    """Print what was found in other programs' files: how much of it is new, and what was left out."""
    files = ", ".join(_format_count(count, name) for name, count in found.formats.items())
    consultations = _format_count(len(found.found), "new consultation")
    print_line(f"{files}: {_format_count(found.conversations, 'conversation')}, {consultations}")
    if found.left_out:
        print_line(f"left out: {_format_counts(found.left_out)}")
    if found.not_understood:
        print_line(f"not understood: {_format_count(len(found.not_understood), 'file')}, as {found.not_understood[0]}")


def _print_waiting(count: int) -> None:
    print_line(f"{_format_count(count, 'interaction')} waiting for permission: weakspot allow")


def print_candidates(found: "Sequence[ImportCandidate]", most: int = _SHOWN) -> None:
    """Print the first of the consultations that would be imported: query, both answers, and what is odd about them."""
    for one in found[:most]:
        query, local, expert = (_cut_text(text, _SHOWN_CHARACTERS) for text in (one.query, one.local, one.expert))
        incomplete = ", incomplete" if one.incomplete else ""
        models = f"{one.local_model or 'local model'} → {one.teacher or 'a better answer'}"
        print_line(f"  {query}  {models}, {one.turns} turns{incomplete}")
        print_line(f"    local:  {local}")
        print_line(f"    expert: {expert}")
        for odd in one.odd:
            print_line(f"    odd:    {odd}")
    if len(found) > most:
        print_line(f"  … and {len(found) - most} more")


def _cut_text(text: str, most: int) -> str:
    return text if len(text) <= most else f"{text[: most - 1]}…"


def _format_count(count: int, word: str) -> str:
    return f"{count} {word}{'' if count == 1 else 's'}"


def _format_counts(counts: "Mapping[str, int]") -> str:
    return ", ".join(f"{count} {reason}" for reason, count in counts.items())


def print_retry(done: "Retried") -> None:
    """Print what became of the consultations that were no interactions."""
    print_line(f"{_format_count(len(done.added), 'consultation')} added, {len(done.left)} still not fit to train on")
    for identity, reason in done.left.items():
        print_line(f"  {identity}: {reason}")


def print_import(done: "Imported") -> None:
    """Print the result of an import."""
    ratings = f", {_format_count(done.ratings, 'rating')}" if done.ratings else ""
    print_line(f"added {done.added}, already there {done.already_there}, bad {len(done.bad)}{ratings}: {done.file}")


def print_bad_lines(done: "Imported") -> None:
    """Print the lines that could not be imported to standard error."""
    for bad in done.bad:
        err.print(f"{bad.file}:{bad.line}: {bad.reason}: {bad.detail}; mend the line and import again")


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


def print_waiting(found: "list[WaitingInteraction]") -> None:
    """Print the interactions that wait for a person's permission."""
    rows = table("interaction", "teacher or source", "query")
    for one in found:
        rows.add_row(one.interaction_id, one.teacher or one.source, " ".join(one.query.split())[:80])
    if found:
        out.print(rows)
    remedy = "; weakspot allow ID..., --teacher NAME or --all" if found else ""
    print_line(f"{_format_count(len(found), 'interaction')} waiting for permission{remedy}")
    for terms in sorted({f"{one.teacher}: {one.terms}" for one in found if one.terms}):
        print_line(terms)


def print_scrub(done: "Rescrubbed") -> None:
    """Print what scrubbing found, record by record."""
    for one in done.found:
        print_line(
            f"line {one.line} {one.interaction_id}: {', '.join(f'{n} {kind}' for kind, n in one.counts.items())}"
        )
    verb = "scrubbed; run 'weakspot process'" if done.replaced else "would be scrubbed"
    lines = _format_count(done.lines, "line")
    print_line(f"{len(done.found)} of {lines} {verb}" if done.found else f"{lines}, nothing to scrub")
    if done.unreadable:
        print_line(f"{_format_count(done.unreadable, 'line')} not scrubbed: not an interaction")


def print_forget(done: "Forgotten", *, retrain: bool = False) -> None:
    """Print the result of forgetting an interaction, and how adapters are trained anew where they are not."""
    print_line(f"forgot {done.interaction_id}: {_format_count(done.lines, 'line')} erased")
    if done.snapshots:
        print_line(f"taken out of snapshots: {', '.join(done.snapshots)}")
    if done.adapters:
        learned = f"adapters that learned from it or were tested on it: {', '.join(done.adapters)}"
        print_line(learned if retrain else f"{learned}; --retrain trains them anew")


def print_retrained(done: "Retrained") -> None:
    """Print the adapters that were trained without a forgotten interaction, and what to do next."""
    for manifest in done.adapters:
        print_adapter(manifest)
        print_line(f"then: weakspot deploy {manifest.domain}; until then the one in service stays there")
    for domain in done.untrainable:
        print_line(
            f"{domain}: no training example is left; take its adapter out of service: weakspot rollback {domain}"
        )
    if not done.adapters and not done.untrainable:
        print_line("no adapter to train anew")


def print_dataset(done: "Processed") -> None:
    """Print the dataset by domain and split, and the number of rejected lines."""
    if not done.changed:
        print_line(f"nothing changed since snapshot {done.snapshot}")
    rows = table("domain", "train", "val", "test", "all")
    for domain, splits in done.domains.items():
        rows.add_row(domain, *(str(count) for count in splits.values()), str(sum(splits.values())))
    if done.domains:
        out.print(rows)
    left_out = _format_counts(done.rejections) or "none"
    print_line(
        f"{_format_count(done.raw_lines, 'raw line')}: {_format_count(done.examples, 'example')}, left out: {left_out}"
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
    examples = f"{_format_count(counts.examples, 'example')} ({train} train, {val} val, {test} test)"
    print_line(
        f"{_format_count(counts.raw_lines, 'raw line')}, {examples}, {_format_count(counts.rejections, 'rejection')}"
    )
    print_line(found.verdict)


def print_preflight(together: "TrainingPlan") -> None:
    """Print what a training run will do, and one example of each adapter with the tokens under loss marked."""
    for plan in together.runs:
        trained_ = f"{', '.join(plan.modules)}; {plan.trainable:,} parameters trained"
        print_line(f"adapter   {plan.adapter} on {plan.base}, {plan.precision}")
        pairs = f", {plan.pairs} paired with a local answer" if plan.pairs else ""
        reasons = f" ({_format_counts(plan.reasons)})" if plan.reasons else ""
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
    steps = _format_count(manifest.steps, "step")
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
        print_line(f"left out: {_format_counts(card.left_out)}")
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
    tokens = _format_count(effect.tokens, "token")
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
    raw = _format_count(found.raw_lines, "raw line")
    print_line(f"{raw}, {found.unprocessed} not processed; snapshot {found.snapshot or 'none'}")
    print_line(found.savings)
    if found.waiting:
        _print_waiting(found.waiting)
    if found.unfitted:
        print_line(f"{_format_count(found.unfitted, 'consultation')} not fit to train on: weakspot validate")
    used = [(one.teacher, one) for one in found.budgets], [(f"client {one.client}", one) for one in found.clients]
    for name, budget in chain(*used):
        if budget.usd_last_24_hours or budget.consultations_last_hour:
            print_line(f"{name}: {budget.shown}")
    for one in found.unheard:
        messages = f"{_format_count(one.count, 'message')} of {one.client}"
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
