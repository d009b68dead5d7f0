"""Records of serving: releases (what answers, with its proof), and usage events of the gateway."""

from typing import Annotated, Literal

from pydantic import Field

from weakspot.records.adapters import Proof, Verdict
from weakspot.records.interactions import Record

Target = Literal["merged", "vllm", "gguf", "ollama", "mlx", "gateway"]


class Release(Record):
    """One change of the model that answers a domain's questions at a target.

    The newest release of a domain and target is live. ``adapter`` is None if the base answers again. ``location`` is a
    folder, a file, or a server's address, and ``served_name`` the model's name there. ``share`` of the questions go to
    it, the rest to what was live before. ``number``, ``who`` and ``created`` are set when it is published.
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


class UsageEvent(Record):
    """One question that the gateway answered, without its text.

    ``model`` is the model requested from the local server, or ``expert/<teacher>``; ``release`` is the number of the
    release that selected it, None for the base. ``consulted`` marks an escalation of a question counted before.
    ``client`` is the named client that asked, None for one without a key of its own.
    """

    timestamp: str
    domain: str
    model: str
    release: int | None
    consulted: bool
    seconds: float
    cost_usd: float | None = None
    client: str | None = None
