from zddc.server.metrics import Metrics


def test_counts_are_text_for_prometheus():
    metrics = Metrics()
    metrics.count_answer(200, 12)
    metrics.count_answer(200, 30)
    metrics.count_answer(404, 0)
    assert metrics.text(audit_failures=1).splitlines() == [
        'zddc_answers_total{status="200"} 2',
        'zddc_answers_total{status="404"} 1',
        "zddc_sent_bytes_total 42",
        "zddc_audit_failures_total 1",
        "zddc_at_once 0",
    ]
