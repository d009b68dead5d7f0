"""Records of an adapter: its manifest, its evaluation, its reference answers, and the merged model."""

from typing import Any, Literal

from pydantic import Field

from weakspot.records.interactions import Record


class BaseReference(Record):
    """The base model of an adapter, and how it is found again.

    ``weights`` is a digest of its configuration and of samples of its weights, ``weights_whole`` one of all of them.
    Records of before have none; there ``identity``, a hash of name, revision and configuration, is all that is known.
    """

    name: str
    location: str
    revision: str | None
    identity: str
    weights: str | None = None
    weights_whole: str | None = None

    def is_same(self, other: "BaseReference") -> bool:
        """Return whether both are the same base, as far as both records know."""
        if self.weights is not None and other.weights is not None:
            return self.weights == other.weights
        return self.identity == other.identity


class AdapterManifest(Record):
    """Inputs and results of a training run; written last: if it exists, the adapter is complete.

    ``thinking`` is the mode in which the model was asked, where a captured call states none. ``left_out`` counts the
    examples that could not be trained on, by reason.
    """

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
    thinking: Literal["on", "off", "default"] = "off"
    left_out: dict[str, int] = Field({})


class Scores(Record):
    """Scores of base and adapter on one test example.

    A loss is in nats per token on the expert's answer. A margin is the mean log-probability of a token of the expert's
    answer minus that of the local answer. ``exact`` is None if the expert's answer is not JSON.
    """

    base_loss: float
    adapter_loss: float
    base_margin: float
    adapter_margin: float
    base_exact: bool | None = None
    adapter_exact: bool | None = None


class RetrievedScores(Scores):
    """The same scores with retrieved examples before the question; ``found`` has the interaction ids of these.

    The answers are not stored: they repeat words of the examples, which may be forgotten later.
    """

    found: list[str]


class ScoredExample(Scores):
    """The scores of one test example, with its texts; ``retrieved`` is None if retrieval was not measured on it.

    A tool fault says why the tool calls in an answer are broken, and is empty if they are not; None if the prompt has
    no tools, or was not answered.
    """

    interaction_id: str
    domain: str
    query: str
    local: str
    expert: str
    tokens: int
    base_answer: str | None = None
    adapter_answer: str | None = None
    base_tool_fault: str | None = None
    adapter_tool_fault: str | None = None
    retrieved: RetrievedScores | None = None


ComparisonOutcome = Literal["better", "worse", "undecided"]


class Comparison(Record):
    """Paired comparison of adapter and base: means, their difference with its 95 % interval, p, and the outcome.

    One example alone has neither an interval nor a p. ``needed`` estimates how many test examples would decide it; None
    if that cannot be estimated.
    """

    metric: str
    n: int
    base: float
    adapter: float
    difference: float
    low: float | None
    high: float | None
    p: float | None
    outcome: ComparisonOutcome
    needed: int | None = None


class BaselineComparison(Record):
    """One metric of base and adapter, each without and with retrieved examples, on the same ``n`` test examples.

    ``p`` and ``outcome`` compare the adapter with the base that has retrieved examples; ``adapter_p`` and
    ``adapter_outcome`` compare the adapter that has retrieved examples with the adapter alone.
    """

    metric: str
    n: int
    base: float
    base_retrieval: float
    adapter: float
    adapter_retrieval: float
    p: float | None
    outcome: ComparisonOutcome
    adapter_p: float | None
    adapter_outcome: ComparisonOutcome


Verdict = Literal["accept", "reject", "not enough evidence"]


class Scorecard(Record):
    """The gate's verdict on an adapter, with all the figures behind it.

    ``retrieval`` compares the adapter with retrieval, which needs no training, and ``remarks`` say what follows from
    it; neither changes the verdict. ``left_out`` counts the test examples that could not be shown, by reason.
    """

    adapter: str
    adapter_sha256: str
    base: BaseReference
    verdict: Verdict
    reasons: list[str]
    comparisons: list[Comparison]
    harm: list[Comparison]
    rows: list[ScoredExample]
    created: str
    retrieval: list[BaselineComparison] = Field([])
    remarks: list[str] = Field([])
    left_out: dict[str, int] = Field({})


class ExpertAnswer(Record):
    """Token ids of an answer, and at some ``places`` of it the log-probabilities (nats) that adapter and base give.

    The places are those where the two differ most.
    """

    tokens: list[int]
    places: list[int]
    adapter: list[float]
    base: list[float]


class ReferenceAnswer(Record):
    """The greedy answers of an adapter and of its base to one held-out prompt, and the expert's answer to it.

    ``tokens`` is the adapter's answer; ``adapter`` and ``base`` are the log-probabilities (nats) that each model gives
    to its tokens, and ``margins`` the adapter's distance from the second likeliest token at each place.
    ``base_tokens`` is the base's own answer. ``expert`` is the beginning of the expert's answer, without the end of the
    turn. ``moment`` is the time, and ``thinking`` the mode, with which the chat template wrote the prompt; it may have
    written a date between the first and the last ids of which ``around_date`` counts how many.
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
    expert: ExpertAnswer
    moment: str | None = None
    thinking: Literal["on", "off", "default"] = "off"
    around_date: tuple[int, int] | None = None


class ReferenceAnswers(Record):
    """The answers that a served adapter must give, and the base's, which it must not, for weights with this hash."""

    adapter_sha256: str
    prompts: list[ReferenceAnswer]


class EffectProof(Record):
    """The adapter's effect (adapter minus base, nats) on ``tokens`` of held-out answers: at the server, in the trainer.

    ``size`` is the root mean square of the trained effect. ``slope``, with its 95 % interval ``low`` to ``high``, is
    the served effect as a multiple of the trained one: 1 is all of it, 0 nothing. ``apart`` is the root mean square
    distance of the served adapter from the trained one as a share of ``size``, and ``limit`` the largest share allowed.
    ``noise`` is the same distance of the bases, in nats per token; None if the base is not served.
    """

    tokens: int
    size: float
    slope: float
    low: float
    high: float
    apart: float
    noise: float | None
    limit: float


class Proof(Record):
    """A served model compared with the trained adapter and with the base, on held-out prompts.

    ``same_answers`` of the ``prompts`` were word for word the adapter's. ``difference`` is the mean distance, in nats
    per token, between the log-probabilities of the served model and of the adapter; None if the server reports none.
    ``change`` is the same distance between the adapter and the base. ``effect`` compares the effects on the expert's
    answers; None if the server reports no log-probabilities of a given answer.
    """

    prompts: int
    same_answers: int
    difference: float | None
    change: float
    effect: EffectProof | None = None


class MergedManifest(Record):
    """Inputs and proof of a merged model; written last.

    ``sample`` had words of a record in an earlier version; it is empty now.
    """

    name: str
    adapter: str
    adapter_sha256: str
    base: BaseReference
    verdict: Verdict
    proof: Proof
    sample: dict[str, str] = Field({})
    created: str
    files: dict[str, str]
