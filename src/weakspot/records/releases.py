"""What is in service: each change of it, its proof, and how often it was asked."""

from typing import Annotated, Literal

from pydantic import Field

from weakspot.records.adapters import Proof, Verdict
from weakspot.records.interactions import Record

Target = Literal["merged", "vllm", "gguf", "ollama", "gateway"]


class Release(Record):
    """One change of what answers a domain's questions at a target; the newest of the two is what is live.

    ``adapter`` is None where the base answers again. ``location`` is a folder, a file, or a server's address;
    ``served_name`` the model's name there. ``share`` of the questions go to it, the others to what was live before.
    Number, who and when are filled in when it is published.
    """

    action: Literal["deploy", "rollback"]
    domain: str
    target: Target
    location: str
    adapter: str | None = None
    adapter_sha256: str | None = None
    snapshot: str | None = None
    verdict: Verdict | None = None
    served_name: str | None = None
    share: Annotated[float, Field(gt=0, le=1)] = 1.0
    proof: Proof | None = None
    number: int = 0
    who: str = ""
    created: str = ""


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
