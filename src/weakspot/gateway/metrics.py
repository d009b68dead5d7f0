"""What the gateway counts, for Prometheus; labels are names of ours, never a text of a user."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from weakspot.protocols.parts import Finished


class Metrics:
    """The gateway's counters, in a registry of their own."""

    def __init__(self) -> None:
        from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

        self.registry = CollectorRegistry()
        registry = self.registry
        self.requests = Counter(
            "weakspot_requests", "Requests by endpoint and HTTP status.", ["endpoint", "status"], registry=registry
        )
        self.seconds = Histogram("weakspot_request_seconds", "Duration of a request.", ["endpoint"], registry=registry)
        self.in_flight = Gauge("weakspot_in_flight", "Requests at work.", registry=registry)
        self.shed = Counter("weakspot_shed", "Requests refused because too many were at work.", registry=registry)
        self.consultations = Counter(
            "weakspot_consultations", "Consultations by teacher and outcome.", ["teacher", "outcome"], registry=registry
        )
        self.teacher_seconds = Histogram(
            "weakspot_teacher_seconds", "Until a consultation had ended.", ["teacher"], registry=registry
        )
        self.tokens = Counter(
            "weakspot_teacher_tokens", "Tokens by teacher.", ["teacher", "direction"], registry=registry
        )
        self.dollars = Counter("weakspot_teacher_cost_usd", "US dollars by teacher.", ["teacher"], registry=registry)
        self.questions = Counter(
            "weakspot_questions",
            "Questions of users by domain and who answered.",
            ["domain", "model"],
            registry=registry,
        )
        self.uses_lost = Counter("weakspot_uses_lost", "Questions that could not be noted.", registry=registry)
        self.captured = Counter("weakspot_captured", "Interactions stored.", registry=registry)
        self.capture_failures = Counter(
            "weakspot_capture_failures", "Times that an interaction could not be stored.", ["reason"], registry=registry
        )
        self.pending = Gauge(
            "weakspot_capture_pending", "Interactions that wait to be stored again.", registry=registry
        )
        self.lost = Counter("weakspot_capture_lost", "Interactions that were given up.", ["reason"], registry=registry)

    def consulted(
        self, teacher: str, outcome: str, finished: "Finished | None", cost_usd: float | None, seconds: float
    ) -> None:
        """Count a consultation that has ended, and what it cost as far as that is known."""
        self.consultations.labels(teacher, outcome).inc()
        self.teacher_seconds.labels(teacher).observe(seconds)
        if finished is not None:
            self.tokens.labels(teacher, "input").inc(finished.input_tokens or 0)
            self.tokens.labels(teacher, "output").inc(finished.output_tokens or 0)
            self.dollars.labels(teacher).inc(cost_usd or 0)

    def text(self) -> bytes:
        """Return everything in Prometheus' text format."""
        from prometheus_client import generate_latest

        return generate_latest(self.registry)
