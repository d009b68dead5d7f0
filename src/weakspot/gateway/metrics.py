"""What the gateway counts, for Prometheus; labels are names of ours, never a text of a user."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from weakspot.records import Consultation


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
            "weakspot_teacher_seconds", "Until a teacher's answer was whole.", ["teacher"], registry=registry
        )
        self.tokens = Counter(
            "weakspot_teacher_tokens", "Tokens by teacher.", ["teacher", "direction"], registry=registry
        )
        self.dollars = Counter("weakspot_teacher_cost_usd", "US dollars by teacher.", ["teacher"], registry=registry)
        self.captured = Counter("weakspot_captured", "Interactions stored.", registry=registry)
        self.capture_failures = Counter(
            "weakspot_capture_failures", "Times that an interaction could not be stored.", ["reason"], registry=registry
        )
        self.pending = Gauge(
            "weakspot_capture_pending", "Interactions that wait to be stored again.", registry=registry
        )
        self.lost = Counter("weakspot_capture_lost", "Interactions that were given up.", ["reason"], registry=registry)

    def consulted(self, consultation: "Consultation") -> None:
        """Count what a stored consultation cost."""
        teacher = consultation.teacher
        self.tokens.labels(teacher, "input").inc(consultation.input_tokens or 0)
        self.tokens.labels(teacher, "output").inc(consultation.output_tokens or 0)
        self.dollars.labels(teacher).inc(consultation.cost_usd or 0)
        self.teacher_seconds.labels(teacher).observe(consultation.seconds or 0)

    def text(self) -> bytes:
        """Return everything in Prometheus' text format."""
        from prometheus_client import generate_latest

        return generate_latest(self.registry)
