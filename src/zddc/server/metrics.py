"""Counts of what the server did, in the text format of Prometheus."""

import threading
from collections import Counter


class Metrics:
    """Counts since the start; each is a name, which may have one label, and a number."""

    def __init__(self) -> None:
        self._counts: Counter[str] = Counter()
        self._counting = threading.Lock()
        self.at_once = 0

    def add(self, name: str, number: int = 1) -> None:
        """Add to a count."""
        with self._counting:
            self._counts[name] += number

    def count_answer(self, status: int, sent: int) -> None:
        """Count an answer with its status, and the bytes of its content."""
        with self._counting:
            self._counts[f'zddc_answers_total{{status="{status}"}}'] += 1
            self._counts["zddc_sent_bytes_total"] += sent

    def text(self, audit_failures: int) -> str:
        """Return all counts, a line each."""
        lines = [f"{name} {number}" for name, number in sorted(self._counts.items())]
        return "\n".join([*lines, f"zddc_audit_failures_total {audit_failures}", f"zddc_at_once {self.at_once}", ""])
