"""Counts of what the server did, in the text format of Prometheus."""

from collections import Counter


class Metrics:
    """Counts since the start; each is a name, which may have one label, and a number."""

    def __init__(self) -> None:
        self._counts: Counter[str] = Counter()
        self.at_once = 0

    def add(self, name: str, number: int = 1) -> None:
        """Add to a count."""
        self._counts[name] += number

    def count_answer(self, status: int, sent: int) -> None:
        """Count an answer with its status, and the bytes of its content."""
        self.add(f'zddc_answers_total{{status="{status}"}}')
        self.add("zddc_sent_bytes_total", sent)

    def text(self, audit_failures: int) -> str:
        """Return all counts, a line each."""
        lines = [f"{name} {number}" for name, number in sorted(self._counts.items())]
        return "\n".join([*lines, f"zddc_audit_failures_total {audit_failures}", f"zddc_at_once {self.at_once}", ""])
