"""What is in service: each change of it, its proof, and how often it was asked."""

from typing import Annotated, Literal

from pydantic import Field

from weakspot.records.adapters import Verdict
from weakspot.records.interactions import Record

Target = Literal["merged", "vllm", "gguf", "ollama", "gateway"]


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


class Release(Record):
    """One change of what answers a domain's questions at a target; the newest of the two is what is live.

    ``adapter`` is None where the base answers again. ``location`` is a folder, a file, or a server's address;
    ``served_name`` the model's name there. ``share`` of the questions go to it, the others to what was live before.
    """

    number: int
    action: Literal["deploy", "rollback"]
    domain: str
    target: Target
    adapter: str | None
    adapter_sha256: str | None
    snapshot: str | None
    verdict: Verdict | None
    location: str
    served_name: str | None
    share: Annotated[float, Field(gt=0, le=1)]
    proof: Proof | None
    who: str
    created: str


class Use(Record):
    """One question that the gateway answered, without a word of it.

    ``model`` is what the local server was asked for, or ``expert/<teacher>``; ``release`` the number of the
    release that chose it, None for the base. ``consulted`` marks an escalation of a question counted before.
    """

    timestamp: str
    domain: str
    model: str
    release: int | None
    consulted: bool
    seconds: float
    cost_usd: float | None = None
