"""The alias stands for what is released for a question's domain, and for the base elsewhere."""

import contextlib

import pytest
from tests.servers import Server

from weakspot.capture.conversation import Conversation
from weakspot.config import Config
from weakspot.dataset.domains import detect
from weakspot.deployment.releases import publish
from weakspot.gateway.routing import Routing, find_release
from weakspot.gateway.upstream import Upstream
from weakspot.records import MULTI_DOMAIN, Release

NAMING, CODING, OTHER = "Which revision is it?", "Can you fix my loop?", "How deep is the sea?"


def question(text: str, *before: dict) -> Conversation:
    return Conversation([*before, {"role": "user", "content": text}])


@pytest.fixture
def released_at(workspace, config):
    """Publish a release at a server; its model there goes by the adapter's name."""

    def do(adapter: str | None, domain: str, location: str = "", **more) -> Release:
        values = {"action": "deploy", "target": "gateway", "location": location, "served_name": adapter, **more}
        return publish(workspace, config, Release.model_validate({"domain": domain, "adapter": adapter, **values}))

    return do


@contextlib.asynccontextmanager
async def routing_to(workspace, *models: str):
    """A server with ``models``, and the routing in front of it."""
    async with Server(models=models) as server:
        config = Config.model_validate({"gateway": {"upstream": f"{server.url}/v1"}})
        upstream = Upstream(config)
        routing = Routing(workspace, config, upstream)
        try:
            yield routing, server
        finally:
            await routing.close()
            await upstream.close()


async def asked_for(routing: Routing, text: str, model: str = "local", *, any_name: bool = False) -> str:
    return (await routing.route(model, question(text), {}, any_name=any_name)).model


@pytest.mark.slow
async def test_each_domain_has_its_own_adapter_and_the_base_answers_the_rest(workspace, released_at):
    async with routing_to(workspace, "base", "n1", "c1") as (routing, server):
        assert await asked_for(routing, NAMING) == "base"
        for adapter, domain in (("n1", "zddc-naming"), ("c1", "coding-debugging")):
            released_at(adapter, domain, f"{server.url}/v1")
        assert [await asked_for(routing, text) for text in (NAMING, CODING, OTHER)] == ["n1", "c1", "base"]
        assert routing.live() == {"zddc-naming": "n1", "coding-debugging": "c1"}


@pytest.mark.slow
async def test_a_domain_is_looked_for_once_and_before_the_answer_only_where_something_is_released(
    workspace, released_at, monkeypatch
):
    looked: list[str] = []

    def look(words, *given, **options):
        looked.append(words)
        return detect(words, *given, **options)

    monkeypatch.setattr("weakspot.gateway.routing.detect", look)
    async with routing_to(workspace, "base", "n1") as (routing, server):
        route = await routing.route("local", question(NAMING), {}, any_name=False)
        assert (route.model, looked) == ("base", [])
        assert (route.domain, route.domain, looked) == ("zddc-naming", "zddc-naming", [NAMING])
        released_at("n1", "zddc-naming", f"{server.url}/v1")
        route = await routing.route("local", question(NAMING), {}, any_name=False)
        assert (route.model, route.domain, looked) == ("n1", "zddc-naming", [NAMING] * 2)


@pytest.mark.slow
async def test_the_adapter_of_all_domains_answers_where_a_domain_has_none_or_went_back(workspace, released_at):
    async with routing_to(workspace, "base", "n1", "all") as (routing, server):
        released_at("n1", "zddc-naming", f"{server.url}/v1")
        released_at("all", MULTI_DOMAIN, f"{server.url}/v1")
        assert [await asked_for(routing, text) for text in (NAMING, OTHER)] == ["n1", "all"]
        released_at(None, "zddc-naming", action="rollback")
        assert await asked_for(routing, NAMING) == "all"


@pytest.mark.slow
async def test_only_the_alias_is_routed_and_names_that_nobody_has_where_a_client_may_use_them(workspace, released_at):
    async with routing_to(workspace, "base", "n1") as (routing, server):
        number = released_at("n1", "zddc-naming", f"{server.url}/v1").number
        assert await asked_for(routing, NAMING, "base") == "base"
        assert await asked_for(routing, NAMING, "claude-sonnet-5-5") == "claude-sonnet-5-5"
        assert await asked_for(routing, NAMING, "claude-sonnet-5-5", any_name=True) == "n1"
        assert await asked_for(routing, NAMING, "base", any_name=True) == "base"
        named = await routing.route("n1", question(OTHER), {}, any_name=False)
        assert named.release.number == number


@pytest.mark.slow
async def test_a_release_may_answer_at_a_server_of_its_own(workspace, released_at):
    async with routing_to(workspace, "base") as (routing, _), Server(models=("n1",)) as other:
        released_at("n1", "zddc-naming", f"{other.url}/v1")
        route = await routing.route("local", question(NAMING), {}, any_name=False)
        assert route.model == "n1"
        await route.upstream.completion({"model": "n1", "messages": question(NAMING).messages}, {})
        assert len(other.chats) == 1


@pytest.mark.slow
async def test_a_server_that_forgot_the_adapter_is_asked_for_the_base_and_once_it_has_it_for_that(
    workspace, released_at, caplog, monkeypatch
):
    monkeypatch.setattr("weakspot.gateway.routing._RECENT_SECONDS", 0)
    async with routing_to(workspace, "base") as (routing, server):
        released_at("n1", "zddc-naming", f"{server.url}/v1")
        assert [await asked_for(routing, NAMING) for _ in range(3)] == ["base"] * 3
        assert caplog.text.count("has no n1: the base answers; deploy it again") == 1
        server.models = ("base", "n1")
        assert await asked_for(routing, NAMING) == "n1"


@pytest.mark.slow
async def test_a_damaged_list_of_releases_changes_nothing(workspace, released_at, caplog):
    async with routing_to(workspace, "base", "n1") as (routing, server):
        released_at("n1", "zddc-naming", f"{server.url}/v1")
        assert await asked_for(routing, NAMING) == "n1"
        with workspace.releases.open("a") as file:
            file.write("nonsense\n")
        assert await asked_for(routing, NAMING) == "n1"
        assert "the releases stay as they were" in caplog.text


def test_a_share_is_one_of_conversations_and_the_rest_goes_to_what_was_released_in_full(workspace, released_at):
    found = [
        released_at("n1", "zddc-naming"),
        released_at("n2", "zddc-naming", share=0.5),
        released_at("n3", "zddc-naming", share=0.1),
    ]
    drawn = [
        find_release(found, "zddc-naming", question(f"Which revision is number {n}?")).adapter for n in range(2000)
    ]
    assert 130 < drawn.count("n3") < 270
    assert 800 < drawn.count("n2") + drawn.count("n3") < 1200
    for n in range(20):
        later = question(
            "Why?", *question(f"Which revision is number {n}?").messages, {"role": "assistant", "content": "A"}
        )
        assert find_release(found, "zddc-naming", later).adapter == drawn[n]
