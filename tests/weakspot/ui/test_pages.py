"""The pages show what is in the workspace, and a decision on one leads to what is next."""

import re
from urllib.parse import parse_qs, urlencode, urlsplit

import pytest

from weakspot.capture import review
from weakspot.capture.decisions import load_decisions
from weakspot.pipeline.process import process
from weakspot.records import Interaction, Release, UsageEvent
from weakspot.storage import append_log
from weakspot.workspace import AdapterName

pytestmark = pytest.mark.slow

EVIL = "<script>alert(1)</script><img src=x onerror=alert(2)>\"'&amp;{{ 7777777 * 7 }}"


@pytest.fixture
def five(workspace, example, capture):
    """Five interactions to review."""
    made = [example(n) for n in range(5)]
    capture(workspace, made)
    return made


@pytest.fixture
def decide(client):
    """Post a decision as the page's form does; return the id that it leads to."""

    def post(action: str, identity: str, **words: str) -> str:
        page = client.get(f"/review?{urlencode({'id': identity})}").text
        read = {name: re.search(rf'name="{name}" value="([^"]*)"', page)[1] for name in ("token", "digest")}
        answer = client.post("/review", {**read, "id": identity, "action": action, **words})
        assert answer.status == 303
        return parse_qs(urlsplit(answer.headers["Location"]).query).get("id", [""])[0]

    return post


def shown(text: str) -> str:
    """Return the id of the interaction that a review page shows; empty where it shows none."""
    found = re.search(r"<code>(int_[^<]+)</code>", text)
    return found[1] if found else ""


def links(text: str) -> dict[str, str]:
    """Return the ids that the keys j and k lead to."""
    found = re.findall(r'href="/[\w-]+/review\?[^"]*id=(int_\w+)" data-key="([jk])"', text)
    return {key: identity for identity, key in found}


def test_review_begins_with_the_first_and_goes_on_to_its_neighbours(client, five):
    page = client.get("/review").text
    assert (shown(page), links(page)) == (five[0].id, {"j": five[1].id})
    page = client.get(f"/review?id={five[2].id}").text
    assert (shown(page), links(page)) == (five[2].id, {"k": five[1].id, "j": five[3].id})
    assert "3 of 5" in page


def test_accepting_and_rejecting_lead_to_the_next(decide, workspace, five):
    assert decide("accept", five[0].id) == five[1].id
    assert decide("reject", five[1].id) == five[2].id
    found = load_decisions(workspace)
    assert [found.judgement(one.id) for one in five[:3]] == ["accept", "reject", None]


def test_with_a_filter_the_next_is_the_next_of_those(client, decide, five):
    decide("accept", five[1].id)
    assert decide("accept", five[0].id, state="undecided") == five[2].id
    page = client.get("/review?state=undecided").text
    assert (shown(page), "1 of 3" in page) == (five[2].id, True)


def test_the_last_stays_in_view_with_its_mark_and_the_rest_within_reach(client, decide, five):
    assert decide("accept", five[4].id, state="undecided") == five[4].id
    page = client.get(f"/review?state=undecided&id={five[4].id}").text
    assert (shown(page), links(page)) == (five[4].id, {"j": five[0].id})
    assert '<span class="mark accepted">accepted</span>' in page


def test_an_edit_is_shown_beside_what_was_captured(client, decide, interaction, capture, workspace):
    capture(workspace, [one := interaction("How?", "  The answer was so.", local="  The answer was not so.")])
    assert decide("edit", one.id, query="How?", expert="  The answer is so.") == one.id
    page = client.get(f"/review?id={one.id}").text
    assert "the expert&#39;s answer as captured" in page
    assert "<pre>  The answer was so.</pre>" in page
    assert "<pre>  The answer <del>was not</del> so.</pre>" in page
    assert "<pre>  The answer <ins>is</ins> so.</pre>" in page


def test_a_move_shows_the_new_domain_and_leads_on_where_the_filter_has_it_no_more(client, decide, five):
    assert decide("move", five[0].id, to="eggs") == five[0].id
    assert "<b>eggs</b>" in client.get(f"/review?id={five[0].id}").text
    assert decide("move", five[1].id, to="eggs", domain="spam") == five[2].id


def test_undo_goes_back_through_what_was_decided_here(client, decide, workspace, five):
    assert 'data-key="u"' not in client.get("/review").text
    decide("accept", five[0].id)
    decide("reject", five[1].id)
    assert 'data-key="u"' in client.get("/review").text
    assert [decide("undo", five[4].id), decide("undo", five[4].id)] == [five[1].id, five[0].id]
    found = load_decisions(workspace)
    assert [found.judgement(one.id) for one in five] == [None] * 5
    decide("undo", five[0].id)
    assert "nothing was decided in this session" in client.get("/review").text


def test_undo_is_of_the_session_that_decided(client, decide, outside, workspace, five):
    decide("accept", five[0].id)
    other = type(client)(client.address).open()
    assert 'data-key="u"' not in other.get("/review").text
    assert 'data-key="u"' in client.get("/review").text
    page = other.get("/review").text
    token = re.search(r'name="token" value="([^"]*)"', page)[1]
    assert other.post("/review", {"token": token, "action": "undo"}).status == 303
    assert load_decisions(workspace).judgement(five[0].id) == "accept"
    assert "nothing was decided in this session" in other.get("/review").text


def test_what_is_forgotten_leads_on_and_is_out_of_the_dataset(client, decide, workspace, config, five):
    process(workspace, config)
    decide("reject", five[1].id)
    assert decide("forget", five[1].id) == five[2].id
    page = client.get(f"/review?id={five[1].id}").text
    assert (shown(page), five[1].id in page, 'data-key="u"' in page) == (five[0].id, False, False)
    assert five[1].id.encode() not in workspace.raw.read_bytes() + workspace.all_examples.read_bytes()


@pytest.mark.parametrize(
    ("action", "words", "notice"),
    [
        ("move", {"to": "No Domain"}, "is not a domain name"),
        ("edit", {"query": "", "expert": "So."}, "the query would be empty"),
        ("destroy", {}, "is not a known decision"),
    ],
)
def test_a_mistake_is_told_once_on_the_page_of_the_same_interaction(
    client, decide, workspace, five, action, words, notice
):
    assert decide(action, five[2].id, **words) == five[2].id
    assert notice in client.get(f"/review?id={five[2].id}").text
    assert notice not in client.get(f"/review?id={five[2].id}").text
    assert not workspace.decisions.exists()


def test_an_interaction_that_is_not_there_is_told(client, decide, five):
    decide("accept", "int_none")
    assert "int_none: no such interaction" in client.get("/review").text


@pytest.fixture
def hidden(interaction, capture, workspace):
    """A record with something in every place that a page might leave out."""
    call = {"id": "c", "type": "function", "function": {"name": "look", "arguments": {"at": "CALL"}}}
    messages = [
        {"role": "user", "content": "EARLIER"},
        {"role": "assistant", "content": "EARLIER-ANSWER", "reasoning_content": "THOUGHTS"},
        {"role": "user", "content": "query"},
        {"role": "assistant", "content": "", "tool_calls": [call]},
        {"role": "tool", "tool_call_id": "c", "content": "RESULT-OF-LOCAL"},
        {"role": "assistant", "content": "local"},
        {"role": "user", "content": "consult Sonnet:" + " " * 80 + "REMARK"},
        {"role": "assistant", "content": "", "tool_calls": [call]},
        {"role": "tool", "tool_call_id": "c", "content": "RESULT-OF-EXPERT"},
        {"role": "assistant", "content": "safe \u202eevil\u202c \x1b"},
    ]
    made = interaction("query", "expert").model_dump(exclude_unset=True)["metadata"]
    more = {"tools": [{"name": "TOOL"}], "query_as_sent": "AS-SENT query"}
    record = Interaction.model_validate({"messages": messages, "metadata": {**made, **more}})
    capture(workspace, [record])
    return record


def test_every_message_is_shown_with_what_becomes_of_it(client, hidden):
    page = client.get("/review").text
    words = ["EARLIER", "EARLIER-ANSWER", "THOUGHTS", "CALL", "RESULT-OF-LOCAL", "REMARK", "RESULT-OF-EXPERT", "TOOL"]
    assert [word for word in [*words, "AS-SENT query"] if word not in page] == []
    uses = dict(re.findall(r'<h3>([^<]+) <span class="mark [a-z-]+">([a-z ]+)</span>', page))
    assert uses["expert"] == "trained"
    assert {uses[name] for name in ("query", "local, tool", "expert, tool", "user", "assistant")} == {"prompt"}
    assert {uses[name] for name in ("local", "the user&#39;s remark")} == {"not trained"}


def test_what_cannot_be_seen_is_marked_and_an_edit_keeps_it(client, decide, hidden, workspace):
    page = client.get("/review").text
    assert "safe <mark>&lt;U+202E&gt;</mark>evil<mark>&lt;U+202C&gt;</mark> <mark>\\x1b</mark>" in page
    assert not set(page) & {"\u202e", "\u202c", "\x1b"}
    decide("edit", hidden.id, query="query", expert="very safe <U+202E>evil \\x1b")
    edited = load_decisions(workspace).latest(hidden.id, "edit")
    assert (edited.query, edited.expert) == (None, "very safe \u202eevil \x1b")


@pytest.mark.parametrize("action", ["accept", "reject", "edit", "move", "forget"])
def test_a_decision_about_what_has_changed_since_is_none(client, decide, workspace, config, five, action):
    old = re.search(r'name="digest" value="([^"]+)"', client.get(f"/review?id={five[0].id}").text)[1]
    review.edit(workspace, config, five[0], five[0].query.text, "Something else.")
    before = workspace.decisions.read_bytes()
    for digest in (old, "", "ä"):
        decide(action, five[0].id, digest=digest, query="q", expert="e", to="eggs")
        assert f"{five[0].id}: changed meanwhile" in client.get(f"/review?id={five[0].id}").text
    assert workspace.decisions.read_bytes() == before


def test_a_page_lists_twenty_however_many_there_are(client, workspace, example, capture):
    made = [example(n) for n in range(45)]
    capture(workspace, made)
    page = client.get(f"/review?id={made[25].id}").text
    assert page.count("<li>") == 20
    assert "26 of 45" in page
    assert 'aria-current="true"' in page


def test_what_models_wrote_is_text_wherever_it_is_shown(client, decide, workspace, interaction, capture):
    consultation = {"teacher": EVIL, "model": EVIL, "policy": "ask", "terms": EVIL}
    context = [{"role": "user", "content": EVIL}, {"role": "assistant", "content": EVIL}]
    evil = interaction(EVIL, f"{EVIL} so", local=EVIL, context=context, consultation=consultation, interaction_id=EVIL)
    capture(workspace, [evil])
    decide("edit", EVIL, query=f"{EVIL}!", expert=f"{EVIL}?")
    for page in (client.get("/review"), client.get("/review?" + "search=%3Cscript%3E"), client.get("/")):
        assert page.status == 200
        assert not re.search(
            r"<script(?! src=\"/[\w-]+/keys\.js\")|<img|54444439", page.text.replace(str(workspace.root), "")
        )


def test_overview_has_every_domain_with_its_splits(client, workspace, config, example, capture):
    capture(workspace, [example(n, domain="spam" if n % 2 else "eggs") for n in range(40)])
    assert "run <code>weakspot process</code>" in client.get("/").text
    process(workspace, config)
    page = client.get("/").text
    assert {"spam", "eggs", "multi-domain"} <= set(re.findall(r"<td>([a-z-]+)</td>", page))
    assert "<b>40</b> captured" in page
    assert 'aria-label="40 examples"' in page


def test_releases_are_listed_the_newest_first_with_what_is_live(client, workspace):
    one = {"domain": "spam", "target": "merged", "location": "there", "who": "me", "created": "2026-01-01T00:00:00Z"}
    made = [
        Release(action="deploy", adapter="spam-lora-v1", number=1, **one),
        Release(action="deploy", adapter="spam-lora-v2", number=2, share=0.1, **one),
        Release(action="rollback", adapter=None, number=3, **one),
    ]
    assert "Nothing is in service yet" in client.get("/releases").text
    append_log.append(workspace.releases, [release.to_json() for release in made])
    page = client.get("/releases").text
    assert page.index("back to the base") < page.index("spam-lora-v2") < page.index("spam-lora-v1")
    assert page.count(">live<") == 1
    assert page.index("back to the base") < page.index(">live<") < page.index("spam-lora-v2")
    assert "10 %" in page


def test_what_was_saved_is_a_picture_as_soon_as_something_was_counted(client, workspace):
    assert client.get("/economics.svg").status == 404
    assert "Nothing was counted yet" in client.get("/releases").text
    uses = [
        UsageEvent(
            timestamp=f"2026-01-{day:02}T12:00:00.000Z",
            domain="spam",
            model="local",
            release=None,
            consulted=day % 2 == 0,
            seconds=1.0,
        )
        for day in range(1, 21)
    ]
    append_log.append(workspace.usage, [use.to_json() for use in uses])
    page = client.get("/releases").text
    assert f'<img src="{client.base}/economics.svg"' in page
    answer = client.get("/economics.svg")
    assert (answer.status, answer.headers["Content-Type"]) == (200, "image/svg+xml; charset=utf-8")
    assert "<svg" in answer.text
    assert answer.headers["Content-Security-Policy"].startswith("sandbox")


def test_without_adapters_there_is_a_word_on_how_to_get_one(client):
    assert "run <code>weakspot train</code>" in client.get("/adapters").text
    assert client.get("/adapters/spam-lora-v1/curve.svg").status == 404
    assert client.get("/adapters/spam-lora-v1/scorecard").status == 404


def test_an_adapter_is_shown_with_its_curve_its_verdict_and_its_answers(accepted, client):
    workspace, _ = accepted
    name = AdapterName("colours", 1)
    page = client.get("/adapters").text
    assert f'<img src="{client.base}/adapters/{name}/curve.svg"' in page
    assert '<span class="mark accept">accept</span>' in page
    assert client.get(f"/adapters/{name}/curve.svg").text.count("<svg") == 1
    card = client.get(f"/adapters/{name}/scorecard")
    assert card.text == workspace.evaluation_page(name).read_text(encoding="utf-8")
    assert card.headers["Content-Security-Policy"].startswith("sandbox; default-src 'none'")
    assert client.get("/adapters/..%2F..%2Fraw/scorecard").status == 404
