"""What every target is given, and what it gives back."""

from dataclasses import dataclass

from weakspot.records import AdapterManifest, Proof, Scorecard, Target, Verdict
from weakspot.workspace import AdapterName


@dataclass(frozen=True)
class Candidate:
    """An adapter that may be put into service."""

    name: AdapterName
    manifest: AdapterManifest
    card: Scorecard | None

    @property
    def verdict(self) -> Verdict:
        """What the gate said."""
        return self.card.verdict if self.card else "not enough evidence"


@dataclass(frozen=True)
class Destination:
    """Where an adapter goes: the target, the server's address where it has one, and its share of the questions."""

    target: Target = "merged"
    server: str = ""
    share: float = 1.0


MERGED = Destination()


@dataclass(frozen=True)
class Placed:
    """What a target made of an adapter: where it is, by what name it is asked there, and the proof of it."""

    location: str
    served_name: str | None
    proof: Proof
