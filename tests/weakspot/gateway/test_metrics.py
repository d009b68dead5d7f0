"""Metrics are sound for Prometheus, and name nothing that a user wrote."""

import pytest
from prometheus_client.parser import text_string_to_metric_families
from tests.servers import Reply

from weakspot.gateway.metrics import Metrics
from weakspot.protocols.parts import Finished


def test_a_consultation_is_counted_with_what_it_cost():
    metrics = Metrics()
    metrics.count_consultation("sonnet", "answered", Finished("stop", "m", 1_000_000, 1000), 2.01, 2.5)
    metrics.count_consultation("sonnet", "answered", Finished("stop", "m"), None, 1.0)
    metrics.count_consultation("sonnet", "failed", None, None, 0.5)
    found = {
        (sample.name, *sorted(sample.labels.values())): sample.value
        for family in text_string_to_metric_families(metrics.text().decode())
        for sample in family.samples
    }
    assert found["weakspot_consultations_total", "answered", "sonnet"] == 2
    assert found["weakspot_consultations_total", "failed", "sonnet"] == 1
    assert found["weakspot_teacher_tokens_total", "input", "sonnet"] == 1_000_000
    assert found["weakspot_teacher_tokens_total", "output", "sonnet"] == 1000
    assert found["weakspot_teacher_cost_usd_total", "sonnet"] == 2.01
    assert (found["weakspot_teacher_seconds_count", "sonnet"], found["weakspot_teacher_seconds_sum", "sonnet"]) == (
        3,
        4,
    )


def test_a_named_client_is_counted_by_its_name():
    metrics = Metrics()
    metrics.count_client("alice", "answered", 2.5)
    metrics.count_client("alice", "answered", None)
    text = metrics.text().decode()
    assert 'weakspot_client_consultations_total{client="alice",outcome="answered"} 2.0' in text
    assert 'weakspot_client_cost_usd_total{client="alice"} 2.5' in text


@pytest.mark.slow
async def test_requests_are_counted_by_the_endpoints_that_there_are(world):
    async with world() as one, one.openai() as client:
        await client.chat.completions.create(model="m", messages=[])
        one.upstream.script = Reply(data=b"{}")
        await client.get("/models/secret-path", cast_to=object)
        await client.post("/rerank", cast_to=object)
        assert await one.metric('weakspot_requests_total{endpoint="/v1/chat/completions",status="200"}') == 1
        assert await one.metric('weakspot_requests_total{endpoint="other",status="200"}') == 2
        assert await one.metric("weakspot_requests_total") == 3
        assert await one.metric("weakspot_request_seconds_count") == 3
