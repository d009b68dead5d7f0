"""What an adapter is made of, how it was proved, and the standalone model made of it."""

from typing import Any, Literal

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


class Row(Record):
    """One test example under base and adapter.

    Losses are nats a token on the expert's answer; margins are the mean log-probability of a token of
    the expert's answer less that of the local one's; exact is None where the expert's answer is not JSON.
    """

    interaction_id: str
    domain: str
    query: str
    local: str
    expert: str
    tokens: int
    base_loss: float
    adapter_loss: float
    base_margin: float
    adapter_margin: float
    base_answer: str | None = None
    adapter_answer: str | None = None
    base_exact: bool | None = None
    adapter_exact: bool | None = None


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


Verdict = Literal["accept", "reject", "not enough evidence"]


class Scorecard(Record):
    """The gate's verdict on an adapter, with everything that it rests on."""

    adapter: str
    adapter_sha256: str
    base: BaseReference
    verdict: Verdict
    reasons: list[str]
    comparisons: list[Comparison]
    harm: list[Comparison]
    rows: list[Row]
    created: str


class Proof(Record):
    """A served artefact compared with the trained adapter and with the base, on held-out prompts.

    Differences are nats a token, over the tokens that the served model wrote greedily: its own log-probability
    of each against that of the adapter (largest), and against that of the base (mean over all tokens).
    ``same_answers`` of ``prompts`` are word for word what the adapter writes.
    """

    prompts: int
    same_answers: int
    largest_difference: float
    mean_difference_from_base: float


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
