"""What an adapter is made of, how it was proved, and the standalone model made of it."""

from typing import Any, Literal

from pydantic import Field

from weakspot.records.interactions import Record


class BaseReference(Record):
    """Which base an adapter belongs to; ``identity`` is a hash of its configuration."""

    name: str
    location: str
    revision: str | None
    identity: str


class AdapterManifest(Record):
    """What an adapter was made of and what came of it; written last: where it is, the adapter is whole."""

    name: str
    domain: str
    version: int
    base: BaseReference
    snapshot: str
    examples: int
    domain_examples: int
    settings: dict[str, dict[str, Any]]
    seed: int
    steps: int
    best_step: int
    train_loss: float
    val_loss: float | None
    seconds: float
    created: str
    versions: dict[str, str]
    files: dict[str, str]


class Scores(Record):
    """What base and adapter make of one test example.

    Losses are nats a token on the expert's answer; margins are the mean log-probability of a token of
    the expert's answer less that of the local one's; exact is None where the expert's answer is not JSON.
    """

    base_loss: float
    adapter_loss: float
    base_margin: float
    adapter_margin: float
    base_exact: bool | None = None
    adapter_exact: bool | None = None


class RetrievedScores(Scores):
    """The same behind the examples that retrieval ``found``, by their interaction ids.

    The answers themselves are not kept: they repeat words of examples, which may be forgotten some day.
    """

    found: list[str]


class Row(Scores):
    """One test example; ``retrieved`` is None where retrieval was not measured on it."""

    interaction_id: str
    domain: str
    query: str
    local: str
    expert: str
    tokens: int
    base_answer: str | None = None
    adapter_answer: str | None = None
    retrieved: RetrievedScores | None = None


Outcome = Literal["better", "worse", "undecided"]


class Comparison(Record):
    """Adapter and base compared in pairs: means, their difference with its 95 % interval, p, the outcome.

    ``needed`` is about how many test examples would decide, None where it cannot be told.
    """

    metric: str
    n: int
    base: float
    adapter: float
    difference: float
    low: float
    high: float
    p: float
    outcome: Outcome
    needed: int | None = None


class Arms(Record):
    """One metric under base and adapter, without and with retrieved examples, on the same ``n`` test examples.

    ``p`` and ``outcome`` are the adapter's against the base with retrieved examples; ``adapter_p`` and
    ``adapter_outcome`` are the adapter's with retrieved examples against the adapter alone.
    """

    metric: str
    n: int
    base: float
    base_retrieval: float
    adapter: float
    adapter_retrieval: float
    p: float
    outcome: Outcome
    adapter_p: float
    adapter_outcome: Outcome


Verdict = Literal["accept", "reject", "not enough evidence"]


class Scorecard(Record):
    """The gate's verdict on an adapter, with everything that it rests on.

    ``retrieval`` sets the adapter beside the free competitor, and ``remarks`` say what follows; neither has a part
    in the verdict.
    """

    adapter: str
    adapter_sha256: str
    base: BaseReference
    verdict: Verdict
    reasons: list[str]
    comparisons: list[Comparison]
    harm: list[Comparison]
    rows: list[Row]
    created: str
    retrieval: list[Arms] = Field([])
    remarks: list[str] = Field([])


class Expected(Record):
    """What an adapter and its base answer to one held-out prompt, greedily.

    ``adapter`` and ``base`` are the log-probabilities, in nats, of ``tokens``, the adapter's answer; ``margins`` how
    far each is from the second likeliest. ``base_tokens`` is the base's own answer.
    """

    interaction_id: str
    messages: list[dict[str, str]]
    prompt_ids: list[int]
    tokens: list[int]
    text: str
    base_tokens: list[int]
    base_text: str
    adapter: list[float]
    base: list[float]
    margins: list[float]


class Expectation(Record):
    """What a served adapter must answer, and what it must not; written once, of the weights with that digest."""

    adapter_sha256: str
    prompts: list[Expected]


class Proof(Record):
    """A served artefact compared with the trained adapter and with the base, on held-out prompts.

    ``same_answers`` of ``prompts`` were word for word what the adapter writes; ``difference`` is the mean, in nats
    a token, of the served model's log-probabilities from the adapter's, None where the server tells none;
    ``change`` is that of the adapter's from the base's.
    """

    prompts: int
    same_answers: int
    difference: float | None
    change: float


class MergedManifest(Record):
    """What a merged model was made of and how it was proved; written last."""

    name: str
    adapter: str
    adapter_sha256: str
    base: BaseReference
    verdict: Verdict
    proof: Proof
    sample: dict[str, str]
    created: str
    files: dict[str, str]
