"""Metrics of the gateway for Prometheus; labels are our own names, never a user's text."""

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
        self.in_flight = Gauge("weakspot_in_flight", "Requests in progress.", registry=registry)
        self.shed = Counter("weakspot_shed", "Requests refused because too many were in progress.", registry=registry)
        self.consultations = Counter(
            "weakspot_consultations", "Consultations by teacher and outcome.", ["teacher", "outcome"], registry=registry
        )
        self.teacher_seconds = Histogram(
            "weakspot_teacher_seconds", "Duration of a consultation.", ["teacher"], registry=registry
        )
        self.tokens = Counter(
            "weakspot_teacher_tokens", "Tokens by teacher.", ["teacher", "direction"], registry=registry
        )
        self.dollars = Counter("weakspot_teacher_cost_usd", "US dollars by teacher.", ["teacher"], registry=registry)
        # As many values as clients have been given a key.
        self.client_consultations = Counter(
            "weakspot_client_consultations",
            "Consultations by named client and outcome.",
            ["client", "outcome"],
            registry=registry,
        )
        self.client_dollars = Counter(
            "weakspot_client_cost_usd", "US dollars by named client.", ["client"], registry=registry
        )
        self.client_questions = Counter(
            "weakspot_client_questions", "Questions to the local model by named client.", ["client"], registry=registry
        )
        self.questions = Counter(
            "weakspot_questions",
            "Questions of users by domain and answering model.",
            ["domain", "model"],
            registry=registry,
        )
        self.uses_lost = Counter("weakspot_uses_lost", "Questions missing from the usage file.", registry=registry)
        self.captured = Counter("weakspot_captured", "Interactions stored.", registry=registry)
        self.unfitted = Counter(
            "weakspot_unfitted",
            "Consultations that were stored and cannot be trained on; 'weakspot validate' lists them.",
            ["reason"],
            registry=registry,
        )
        self.unheard = Counter(
            "weakspot_unheard_wishes",
            "Messages that look like a request for an expert and were not taken for one.",
            ["client"],
            registry=registry,
        )
        self.capture_failures = Counter(
            "weakspot_capture_failures", "Failed attempts to store an interaction.", ["reason"], registry=registry
        )
        self.pending = Gauge(
            "weakspot_capture_pending", "Interactions that wait for the next attempt to store them.", registry=registry
        )
        self.lost = Counter(
            "weakspot_capture_lost",
            "Interactions that could not be stored and are lost.",
            ["reason"],
            registry=registry,
        )

    def count_consultation(
        self, teacher: str, outcome: str, finished: "Finished | None", cost_usd: float | None, seconds: float
    ) -> None:
        """Count a consultation that has ended, and its cost where that is known."""
        self.consultations.labels(teacher, outcome).inc()
        self.teacher_seconds.labels(teacher).observe(seconds)
        if finished is not None:
            self.tokens.labels(teacher, "input").inc(finished.input_tokens or 0)
            self.tokens.labels(teacher, "output").inc(finished.output_tokens or 0)
            self.dollars.labels(teacher).inc(cost_usd or 0)

    def count_client(self, client: str, outcome: str, cost_usd: float | None) -> None:
        """Count a consultation of a named client, and its cost where that is known."""
        self.client_consultations.labels(client, outcome).inc()
        self.client_dollars.labels(client).inc(cost_usd or 0)

    def text(self) -> bytes:
        """Return everything in Prometheus' text format."""
        from prometheus_client import generate_latest

        return generate_latest(self.registry)
