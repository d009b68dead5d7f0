"""Past escalations asked again of an adapter: how many of them would no longer need the expert."""

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
from weakspot.evaluation.judge import Outcome, TeacherAsJudge
from weakspot.models import adapter_files, adapters, generation, loading
from weakspot.progress import bar
from weakspot.records import MULTI_DOMAIN, AdapterManifest, Interaction, Row, Split
from weakspot.workspace import AdapterName, Workspace
from zddc.errors import UserError

if TYPE_CHECKING:
    from peft import PeftModel
    from transformers import PreTrainedTokenizerBase

_SHAPED_IT: tuple[Split, ...] = ("train", "val")
"""What an adapter has seen: train it learnt from, val chose its best step."""


@dataclass(frozen=True)
class Replayed:
    """One escalation asked again; ``seen`` if it, or one of its group, was trained on or chose the best step.

    ``base_right`` tells whether the base answers it right by itself, None where that was not asked. ``answer`` is the
    adapter's, None where likelihood judged and nothing was written.
    """

    interaction_id: str
    teacher: str
    seen: bool
    judge: str
    outcome: Outcome
    base_right: bool | None
    query: str
    expert: str
    answer: str | None


@dataclass(frozen=True)
class Count:
    """How many escalations came out how. Of those resolved, ``base_right`` the base answers right as well."""

    escalations: int
    resolved: int
    needed: int
    undecided: int
    base_right: int
    judges: dict[str, int]
    teachers: dict[str, int]


@dataclass(frozen=True)
class Replay:
    """What an adapter would have spared its user. Only ``unseen`` says what it will spare.

    ``left_out`` escalations do not fit into the model or into its template. ``cost_usd`` is what the judge cost, None
    where that is not known.
    """

    domain: str
    adapter: str
    adapter_sha256: str
    base: str
    unseen: Count
    seen: Count
    left_out: int
    cost_usd: float | None
    rows: list[Replayed]


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
    teacher = trigger_phrases.teacher_named(config, judge) if judge else None
    if judge and teacher is None:
        raise UserError(f"judge {judge[:80]}", "no such teacher", f"there are {', '.join(config.teachers)}")
    name = adapter or workspace.require_adapter(domain)
    manifest = adapters.read_manifest(workspace, name)
    examples, seen = _escalations(workspace, domain, manifest)
    chosen = examples[:limit]
    if not chosen:
        raise UserError(domain, "has no escalation to ask again", "capture some, then run 'weakspot process'")
    with loading.enough_memory(str(name), "lower [evaluate] batch_size"):
        _, model, tokenizer = adapters.load(workspace, manifest)
        with bar(f"asking {name}", 2 * len(chosen)) as advance:
            rows = scoring.score(model, tokenizer, chosen, config, advance=advance)
        if teacher:
            rows = _written(model, tokenizer, chosen, rows, config)
    by_id = {example.id: example for example in chosen}
    asked = TeacherAsJudge(config, teacher) if teacher else None
    judged = _judged(rows, by_id, asked, f"teacher {teacher}")
    replayed = [
        Replayed(
            interaction_id=row.interaction_id,
            teacher=_teacher(by_id[row.interaction_id]),
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
        unseen=count([one for one in replayed if not one.seen]),
        seen=count([one for one in replayed if one.seen]),
        left_out=len(chosen) - len(rows),
        cost_usd=asked.cost_usd if asked else 0.0,
        rows=replayed,
    )


def _escalations(workspace: Workspace, domain: str, manifest: AdapterManifest) -> tuple[list[Interaction], set[str]]:
    """Return the domain's examples, unseen and later ones first, and the ids of those that the adapter has seen.

    A near-duplicate of what was trained on is no unseen question: it is in the same group.
    """
    groups = {identity: place.group for identity, place in read_assignments(workspace.assignments).items()}
    shaped = {
        example.id
        for split in _SHAPED_IT
        for example in reading.read_examples(workspace.snapshot_split(manifest.snapshot, split))
    }
    shaped_groups = {groups.get(identity, identity) for identity in shaped}
    examples = [
        example for example in reading.read_examples(workspace.all_examples) if domain in (MULTI_DOMAIN, example.domain)
    ]
    seen = {example.id for example in examples if groups.get(example.id, example.id) in shaped_groups}
    examples.reverse()  # what was captured last first, among the unseen and, as sorting is stable, among the seen
    return sorted(examples, key=lambda example: example.id in seen), seen


def _written(
    model: "PeftModel",
    tokenizer: "PreTrainedTokenizerBase",
    examples: Sequence[Interaction],
    rows: Sequence[Row],
    config: Config,
) -> list[Row]:
    """Let the adapter write the answers that it has not written yet, for a teacher to read."""
    by_id = {example.id: example for example in examples}
    prompts = {
        row.interaction_id: scoring.prompt(tokenizer, by_id[row.interaction_id])
        for row in rows
        if row.adapter_answer is None
    }
    with bar("answering", len(prompts)) as advance:
        settings = config.evaluate
        texts = generation.answers(
            model, tokenizer, list(prompts.values()), settings.max_new_tokens, settings.batch_size, advance
        )
    answers = dict(zip(prompts, texts, strict=True))
    return [
        row.model_copy(update={"adapter_answer": answers.get(row.interaction_id, row.adapter_answer)}) for row in rows
    ]


def _judged(
    rows: Sequence[Row], examples: dict[str, Interaction], teacher: TeacherAsJudge | None, teachers_name: str
) -> dict[str, tuple[str, Outcome]]:
    """Return by interaction id who judged, and what came out."""
    found: dict[str, tuple[str, Outcome]] = {}
    left: dict[str, tuple[Interaction, str]] = {}
    for row in rows:
        if row.adapter_exact is not None:
            found[row.interaction_id] = "exact match", judge.by_exact_match(row)
        elif teacher is None:
            found[row.interaction_id] = "likelihood", judge.by_likelihood(row)
        else:
            left[row.interaction_id] = examples[row.interaction_id], row.adapter_answer or ""
    if teacher is not None and left:
        outcomes = asyncio.run(teacher.outcomes(list(left.values())))
        found |= {identity: (teachers_name, one) for identity, one in zip(left, outcomes, strict=True)}
    return found


def count(rows: Sequence[Replayed]) -> Count:
    """Return how many rows came out how, by whom they were judged, and which teachers had answered them."""
    outcomes = Counter(one.outcome for one in rows)
    return Count(
        escalations=len(rows),
        resolved=outcomes["resolved"],
        needed=outcomes["needed"],
        undecided=outcomes["undecided"],
        base_right=sum(one.outcome == "resolved" and one.base_right is True for one in rows),
        judges=dict(Counter(one.judge for one in rows).most_common()),
        teachers=dict(Counter(one.teacher for one in rows).most_common()),
    )


def _teacher(example: Interaction) -> str:
    consultation = example.metadata.consultation
    return consultation.teacher if consultation else "the expert"
