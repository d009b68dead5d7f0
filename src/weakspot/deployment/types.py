"""Input and output types of deployment targets."""

from dataclasses import dataclass

from weakspot.records import AdapterManifest, Proof, Scorecard, Target, Verdict
from weakspot.workspace import AdapterName


@dataclass(frozen=True)
class Candidate:
    """An adapter to be deployed, with its manifest and its scorecard."""

    name: AdapterName
    manifest: AdapterManifest
    card: Scorecard | None

    @property
    def verdict(self) -> Verdict:
        """The gate's verdict."""
        return self.card.verdict if self.card else "not enough evidence"


@dataclass(frozen=True)
class Destination:
    """A deployment's target, the server's address (if the target has one), and the share of the questions."""

    target: Target = "merged"
    server: str = ""
    share: float = 1.0


MERGED = Destination()


@dataclass(frozen=True)
class Deployment:
    """A deployed adapter: its location, its name on the server (None for files), and the proof."""

    location: str
    served_name: str | None
    proof: Proof
