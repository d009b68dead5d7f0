"""The pages in a real Chromium: twenty interactions reviewed without a mouse, and nothing that a model wrote runs."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import pytest
from tests.waiting import until

from weakspot.capture.decisions import load_decisions
from weakspot.dataset import reading
from weakspot.pipeline.process import process
from weakspot.records import Rejection
from weakspot.storage import append_log, atomic
from weakspot.workspace import AdapterName

if TYPE_CHECKING:
    from playwright.sync_api import Page

pytestmark = [pytest.mark.browser, pytest.mark.slow]

EVIL = [
    "<script>alert(1)</script>",
    "<img src=x onerror=alert(1)>",
    "</textarea><script>alert(1)</script>",
    "</pre></article><svg onload=alert(1)>",
    "'\"><iframe srcdoc='<script>parent.alert(1)</script>'>",
    "<style>body{display:none}</style>",
    "<a href=javascript:alert(1) data-key=a>x</a>",
    "<base href=//evil.example><meta http-equiv=refresh content='0;url=//evil.example'>",
    "{{ 7 * 7 }}{% include 'layout.html' %}",
    "<form action=//evil.example><button autofocus>accept</button></form>",
]


@dataclass
class Browser:
    """A page, all that it complained about or asked of elsewhere, and what its policy kept it from asking."""

    page: "Page"
    complaints: list[str] = field(default_factory=list)
    blocked: list[str] = field(default_factory=list)

    def press(self, *keys: str) -> None:
        """Press keys, the last of which leads to another page."""
        for key in keys[:-1]:
            self.page.keyboard.press(key)
        with self.page.expect_navigation():
            self.page.keyboard.press(keys[-1])

    def write(self, text: str) -> None:
        """Write over what is in the field that has the focus, and send its form."""
        self.page.keyboard.press("Control+a")
        self.page.keyboard.insert_text(text)
        self.press("Control+Enter")

    @property
    def query(self) -> str:
        return self.page.locator("pre.query").inner_text()


@pytest.fixture
def browser(chromium, outside) -> Iterator[Browser]:
    """A page that came in with the address that the terminal shows, and shares nothing with those of other tests."""
    page = chromium.new_page(viewport={"width": 1280, "height": 900})
    found = Browser(page)
    own = f"http://{outside.host}/"
    page.on("dialog", lambda dialog: (found.complaints.append(f"dialog: {dialog.message}"), dialog.dismiss()))
    page.on("console", lambda message: found.complaints.append(f"console: {message.text}"))
    page.on("pageerror", lambda error: found.complaints.append(f"error: {error}"))
    page.on("request", lambda asked: asked.url.startswith(own) or found.complaints.append(f"asks {asked.url}"))
    blocked = found.blocked.append
    page.on("requestfailed", lambda asked: asked.failure == "csp" and blocked(asked.url.removeprefix(own)))
    page.goto(outside.address())
    yield found
    page.close()


def test_twenty_interactions_are_reviewed_by_keyboard_and_process_heeds_every_decision(
    browser, outside, workspace, config, example, capture
):
    made = [example(n) for n in range(24)]
    capture(workspace, made)
    process(workspace, config)
    browser.page.goto(f"http://{outside.host}{outside.base}/review")

    for n in range(8):
        assert browser.query == made[n].query.text
        browser.press("a")
    for _ in range(6):
        browser.press("r")
    for n in range(14, 17):
        browser.page.keyboard.press("e")
        browser.write(f"The better answer, number {n}.")
        browser.press("j")
    for _ in range(2):
        browser.page.keyboard.press("m")
        browser.write("eggs")
        browser.press("j")
    assert browser.query == made[19].query.text
    browser.press("f", "Enter")
    assert browser.query == made[20].query.text
    browser.press("k")
    assert browser.query == made[18].query.text
    browser.press("r")
    browser.press("u")
    assert browser.query == made[18].query.text

    process(workspace, config)
    found = {one.id: one for one in reading.read_examples(workspace.all_examples)}
    left_out = [Rejection.from_json(line.data) for line in append_log.read_lines(workspace.rejections)]
    assert {one.interaction_id: one.reason for one in left_out} == {one.id: "rejected" for one in made[8:14]}
    assert set(found) == {one.id for one in [*made[:8], *made[14:19], *made[20:]]}
    assert [found[one.id].expert.text for one in made[14:17]] == [
        f"The better answer, number {n}." for n in range(14, 17)
    ]
    assert [found[one.id].domain for one in made[17:19]] == ["eggs", "eggs"]
    assert made[19].id.encode() not in workspace.raw.read_bytes()
    assert browser.complaints == []


def test_escape_leaves_a_field_and_a_key_in_a_field_is_a_letter(browser, outside, workspace, example, capture):
    capture(workspace, made := [example(n) for n in range(3)])
    browser.page.goto(f"http://{outside.host}{outside.base}/review")
    browser.page.keyboard.press("e")
    browser.page.keyboard.type("araf")
    answer = browser.page.locator("textarea[name=expert]")
    assert answer.input_value() == f"araf{made[0].expert.text}"
    browser.page.keyboard.press("Escape")
    assert not answer.is_visible()
    browser.page.keyboard.press("?")
    assert browser.page.get_by_text("undo the last decision").is_visible()
    browser.page.keyboard.press("Escape")
    browser.page.keyboard.press("f")
    browser.press("Escape", "j")
    assert not workspace.decisions.exists()
    browser.page.keyboard.press("/")
    browser.page.keyboard.type("int_")
    browser.press("Enter")
    assert "search=int_" in browser.page.url


def test_a_key_pressed_before_the_next_page_is_there_decides_nothing_about_this_one(
    browser, outside, workspace, example, capture
):
    capture(workspace, made := [example(n) for n in range(3)])
    browser.page.goto(f"http://{outside.host}{outside.base}/review")
    for keys in ("arr", "jrr"):
        with browser.page.expect_navigation():
            browser.page.evaluate(
                """keys => { for (const key of keys)
                document.body.dispatchEvent(new KeyboardEvent("keydown", {key, bubbles: true})) }""",
                keys,
            )
    assert browser.query == made[2].query.text
    found = load_decisions(workspace)
    assert [found.judgement(one.id) for one in made] == ["accept", None, None]


def test_what_models_wrote_stays_text(browser, outside, workspace, interaction, capture):
    made = [
        interaction(f"{evil} query", f"{evil} expert", local=f"{evil} local", domain="spam", interaction_id=f"int_{n}")
        for n, evil in enumerate(EVIL)
    ]
    capture(workspace, made)
    page = browser.page
    page.goto(f"http://{outside.host}{outside.base}/review")
    for n, one in enumerate(made):
        assert browser.query == one.query.text
        halves = page.locator(".halves pre").all_inner_texts()
        assert halves == [one.local.text, one.expert.text]
        assert page.locator("textarea[name=expert]").input_value() == one.expert.text
        assert page.locator("script").count() == 1
        assert page.locator("main").locator("script, img, iframe, svg, style, base, meta").count() == 0
        assert page.locator("[data-key=a]").count() == 1
        page.keyboard.press("e")
        browser.write(f"{EVIL[n]} edited")
        assert page.locator(".halves pre").last.inner_text() == f"{EVIL[n]} edited"
        if n + 1 < len(made):
            browser.press("j")
    assert browser.complaints == []


def test_a_scorecard_with_a_script_in_it_runs_nothing_and_fetches_nothing(browser, outside, workspace):
    name = AdapterName("spam", 1)
    workspace.adapter(name).mkdir(parents=True)
    planted = "<script>alert(1)</script><img src='/review'><img src='http://evil.example/'><p>the answers</p>"
    atomic.write_atomically(workspace.evaluation_page(name), planted.encode())
    atomic.write_atomically(workspace.adapter_manifest(name), b"{}")
    browser.page.goto(f"http://{outside.host}{outside.base}/adapters/{name}/scorecard")
    assert browser.page.get_by_text("the answers").is_visible()
    until(lambda: browser.page.evaluate("true") and len(browser.blocked) > 1)  # while it is asked, it tells
    assert set(browser.blocked) == {"review", "http://evil.example/"}
    assert [one for one in browser.complaints if one.startswith(("dialog", "error"))] == []
