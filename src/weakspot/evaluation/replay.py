"""Asks an adapter past escalations again, and counts how many of them would no longer need the expert."""

import asyncio
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from weakspot.capture import trigger_phrases
from weakspot.config import Config
from weakspot.dataset import reading
from weakspot.dataset.assignments import read_assignments
from weakspot.evaluation import judge, scoring
from weakspot.evaluation.judge import EscalationOutcome, TeacherAsJudge
from weakspot.models import adapter_files, adapters, generation, loading, rendering
from weakspot.models.rendering import View
from weakspot.progress import bar
from weakspot.records import MULTI_DOMAIN, AdapterManifest, Interaction, ScoredExample, Split
from weakspot.storage.ledger import Ledger
from weakspot.workspace import AdapterName, Workspace
from zddc.errors import UserError

if TYPE_CHECKING:
    from peft import PeftModel
    from transformers import PreTrainedTokenizerBase

_TRAINING_SPLITS: tuple[Split, ...] = ("train", "val")
"""Splits that training used: train for learning, val for choosing the best step."""


@dataclass(frozen=True)
class ReplayedEscalation:
    """One escalation, asked again.

    ``seen`` is true if the escalation or one of its group was in the train or val split of the adapter.
    ``base_right`` tells whether the base alone answers it exactly, None if that was not measured. ``answer`` is the
    adapter's, None if likelihood was the judge and no answer was generated.
    """

    interaction_id: str
    teacher: str
    seen: bool
    judge: str
    outcome: EscalationOutcome
    base_right: bool | None
    query: str
    expert: str
    answer: str | None


@dataclass(frozen=True)
class OutcomeCounts:
    """How many escalations had each outcome; ``base_right`` of the resolved ones the base alone answers exactly."""

    escalations: int
    resolved: int
    needed: int
    undecided: int
    base_right: int
    judges: dict[str, int]
    teachers: dict[str, int]


@dataclass(frozen=True)
class Replay:
    """The result of a replay. Only the counts of ``unseen`` escalations predict future savings.

    ``left_out`` escalations exceed the length limit or cannot be rendered. ``cost_usd`` is what the judge cost, None
    if that is unknown.
    """

    domain: str
    adapter: str
    adapter_sha256: str
    base: str
    unseen: OutcomeCounts
    seen: OutcomeCounts
    left_out: int
    cost_usd: float | None
    rows: list[ReplayedEscalation]


def replay(
    workspace: Workspace,
    config: Config,
    domain: str,
    *,
    adapter: AdapterName | None = None,
    judge: str | None = None,
    limit: int | None = None,
) -> Replay:
    """Ask a domain's processed escalations again of its newest adapter, or of the one given.

    Each is judged by the first of these that can: exact match, where the expert's answer is JSON; the teacher
    ``judge``, where one is named; likelihood. See :mod:`weakspot.evaluation.judge` for what each of them means.
    ``limit`` takes so many: the unseen before the seen, the later before the earlier.

    Raises :class:`UserError` where there is nothing to ask, no such teacher, or where it does not answer.
    """
    teacher = trigger_phrases.find_teacher(config, judge) if judge else None
    if judge and teacher is None:
        raise UserError(f"judge {judge[:80]}", "no such teacher", f"there are {', '.join(config.teachers)}")
    name = adapter or workspace.require_adapter(domain)
    manifest = adapters.read_manifest(workspace, name)
    examples, seen = _escalations(workspace, domain, manifest)
    chosen = examples[:limit]
    if not chosen:
        raise UserError(domain, "has no escalation to replay", "capture some, then run 'weakspot process'")
    with loading.explain_out_of_memory(str(name), "lower [evaluate] batch_size"):
        _, model, tokenizer = adapters.load(workspace, config, manifest)
        view = rendering.view_of(manifest, reading.load_local_thoughts(workspace))
        with bar(f"asking {name}", 2 * len(chosen)) as advance:
            rows = scoring.score_examples(model, tokenizer, chosen, config, advance=advance, view=view)
        if teacher:
            rows = _write_missing_answers(model, tokenizer, chosen, rows, config, view)
    by_id = {example.id: example for example in chosen}
    asked = TeacherAsJudge(config, teacher, Ledger(workspace.spending)) if teacher else None
    judged = _judge_rows(rows, by_id, asked, f"teacher {teacher}")
    replayed = [
        ReplayedEscalation(
            interaction_id=row.interaction_id,
            teacher=_teacher_name(by_id[row.interaction_id]),
            seen=row.interaction_id in seen,
            judge=judged[row.interaction_id][0],
            outcome=judged[row.interaction_id][1],
            base_right=row.base_exact,
            query=row.query,
            expert=row.expert,
            answer=row.adapter_answer,
        )
        for row in rows
    ]
    return Replay(
        domain=domain,
        adapter=str(name),
        adapter_sha256=manifest.files[adapter_files.WEIGHTS],
        base=manifest.base.name,
        unseen=count_outcomes([one for one in replayed if not one.seen]),
        seen=count_outcomes([one for one in replayed if one.seen]),
        left_out=len(chosen) - len(rows),
        cost_usd=asked.cost_usd if asked else 0.0,
        rows=replayed,
    )


def _escalations(workspace: Workspace, domain: str, manifest: AdapterManifest) -> tuple[list[Interaction], set[str]]:
    """Return the domain's examples, unseen before seen and newer before older, and the ids of the seen ones.

    A near-duplicate of a training example counts as seen, because it is in the same group.
    """
    groups = {identity: place.group for identity, place in read_assignments(workspace.assignments).items()}
    shaped = {
        example.id
        for split in _TRAINING_SPLITS
        for example in reading.read_examples(workspace.snapshot_split(manifest.snapshot, split))
    }
    shaped_groups = {groups.get(identity, identity) for identity in shaped}
    examples = [
        example for example in reading.read_examples(workspace.all_examples) if domain in (MULTI_DOMAIN, example.domain)
    ]
    seen = {example.id for example in examples if groups.get(example.id, example.id) in shaped_groups}
    examples.reverse()  # newest first; the stable sort below keeps this order among unseen and among seen examples
    return sorted(examples, key=lambda example: example.id in seen), seen


def _write_missing_answers(
    model: "PeftModel",
    tokenizer: "PreTrainedTokenizerBase",
    examples: Sequence[Interaction],
    rows: Sequence[ScoredExample],
    config: Config,
    view: View,
) -> list[ScoredExample]:
    """Generate the adapter's missing answers, so that a teacher can judge them."""
    by_id = {example.id: example for example in examples}
    prompts = {
        row.interaction_id: scoring.render_prompt(tokenizer, by_id[row.interaction_id], view)
        for row in rows
        if row.adapter_answer is None
    }
    with bar("answering", len(prompts)) as advance:
        settings = config.evaluate
        texts = generation.generate_answers(
            model, tokenizer, list(prompts.values()), settings.max_new_tokens, settings.batch_size, advance
        )
    answers = dict(zip(prompts, texts, strict=True))
    return [
        row.model_copy(update={"adapter_answer": answers.get(row.interaction_id, row.adapter_answer)}) for row in rows
    ]


def _judge_rows(
    rows: Sequence[ScoredExample], examples: dict[str, Interaction], teacher: TeacherAsJudge | None, teachers_name: str
) -> dict[str, tuple[str, EscalationOutcome]]:
    """Return by interaction id the name of the judge and the outcome."""
    found: dict[str, tuple[str, EscalationOutcome]] = {}
    left: dict[str, tuple[Interaction, str]] = {}
    for row in rows:
        if row.adapter_exact is not None:
            found[row.interaction_id] = "exact match", judge.by_exact_match(row)
        elif teacher is None:
            found[row.interaction_id] = "likelihood", judge.by_likelihood(row)
        else:
            left[row.interaction_id] = examples[row.interaction_id], row.adapter_answer or ""
    if teacher is not None and left:
        outcomes = asyncio.run(teacher.judge_escalations(list(left.values())))
        found |= {identity: (teachers_name, one) for identity, one in zip(left, outcomes, strict=True)}
    return found


def count_outcomes(rows: Sequence[ReplayedEscalation]) -> OutcomeCounts:
    """OutcomeCounts outcomes, judges and teachers."""
    outcomes = Counter(one.outcome for one in rows)
    return OutcomeCounts(
        escalations=len(rows),
        resolved=outcomes["resolved"],
        needed=outcomes["needed"],
        undecided=outcomes["undecided"],
        base_right=sum(one.outcome == "resolved" and one.base_right is True for one in rows),
        judges=dict(Counter(one.judge for one in rows).most_common()),
        teachers=dict(Counter(one.teacher for one in rows).most_common()),
    )


def _teacher_name(example: Interaction) -> str:
    consultation = example.metadata.consultation
    return consultation.teacher if consultation else "the expert"
