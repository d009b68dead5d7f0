"""The frame of all pages: keys, palette, messages, theme, address, print, and what a screen reader finds."""

import os
import re
from urllib.parse import quote

import pytest

from zddc import tools

EVERY_PAGE = sorted(tools.read_pages())

pytestmark = [pytest.mark.browser, pytest.mark.slow]


def focused(tool) -> str:
    return tool.page.evaluate(
        "() => document.activeElement.closest('[data-region]')?.dataset.region ?? document.activeElement.tagName"
    )


@pytest.mark.parametrize("name", EVERY_PAGE)
def test_each_page_from_the_disk_asks_for_nothing_and_fits_any_window(open_page, name):
    tool = open_page(name)
    page = tool.page
    page.locator("main :is(h1, h2)").first.wait_for()
    assert tool.requests == [tool.address]
    tool.check_accessibility(in_dark=True)
    for scheme in ("dark", "light") if os.environ.get("ZDDC_SCREENSHOTS") else ():
        page.emulate_media(color_scheme=scheme)
        for width in (1280, 390):
            page.set_viewport_size({"width": width, "height": 900 if width > 500 else 844})
            tool.screenshot(f"{name}-first-{width}-{scheme}")
    page.set_viewport_size({"width": 320, "height": 700})
    overflow = "one => one.scrollWidth - one.clientWidth"
    assert [page.locator(one).evaluate(overflow) for one in ("html", "main")] == [0, 0]
    tool.check_accessibility()
    page.set_viewport_size({"width": 1280, "height": 900})
    tool.press("?")
    page.locator(".key-sheet kbd").nth(8).wait_for()
    if name != "landing":  # its own is looked at as a whole, below
        tool.check_accessibility(".key-sheet")
    tool.press("Escape", "Control+k")
    page.get_by_role("option").nth(8).wait_for()
    tool.press("Escape")
    page.emulate_media(media="print")
    assert page.locator(".print-head").is_visible()
    assert page.pdf(format="A4").startswith(b"%PDF")


def test_nothing_keeps_a_screen_reader_from_the_frame(open_page):
    tool = open_page("landing")
    tool.press("Control+k")
    tool.page.get_by_role("option").first.wait_for()
    tool.check_accessibility(in_dark=True)
    tool.press("Escape", "?")
    tool.page.locator(".key-sheet kbd").first.wait_for()
    tool.check_accessibility(in_dark=True)
    tool.press("Escape")
    tool.page.evaluate("addEventListener('x', () => { throw new Error('planted') }); dispatchEvent(new Event('x'))")
    tool.expect_complaint("planted")
    tool.page.locator(".problem-count").click()
    tool.page.locator(".problems li").wait_for()
    tool.check_accessibility(in_dark=True)
    tool.press("Control+k")
    tool.page.get_by_role("option").first.wait_for()
    tool.page.keyboard.type("about")
    tool.press("Enter")
    tool.page.locator(".about summary").click()
    tool.check_accessibility(in_dark=True)


def test_the_palette_finds_an_action_by_its_words_and_gives_the_focus_back(open_page):
    tool = open_page("landing")
    page = tool.page
    page.locator(".siblings a").first.focus()
    tool.press("Control+k")
    options = page.get_by_role("option")
    options.first.wait_for()
    everything = options.count()
    page.keyboard.type("lin vie")
    page.wait_for_function("() => document.querySelectorAll('[role=option]').length === 1")
    assert options.all_inner_texts() == ["Copy link to this view"]
    page.keyboard.type(" nothing")
    page.get_by_text("No action has these words.").wait_for()
    tool.press("Escape")
    page.wait_for_function("() => document.activeElement.className === 'card'")
    tool.press("Control+k")
    options.first.wait_for()
    tool.press("ArrowUp")
    assert options.count() == everything
    assert page.locator("[aria-selected=true]").inner_text().startswith(options.last.inner_text())
    assert page.locator("[role=combobox]").get_attribute("aria-activedescendant") == f"palette-{everything - 1}"


def test_what_is_typed_right_after_a_key_goes_to_what_the_key_opens(open_page):
    tool = open_page("landing")
    tool.page.locator(".siblings a").first.focus()
    assert tool.focused_at_once("k", ctrlKey=True, inside=".palette input")
    tool.page.keyboard.insert_text("about")
    assert tool.focused_at_once("Enter", inside="dialog:not(.palette)")
    tool.press("Escape")
    assert tool.focused_at_once("?", inside="dialog")


def test_the_key_sheet_names_the_keys_and_each_of_them_works(open_page):
    tool = open_page("landing")
    page = tool.page
    tool.press("?")
    page.locator(".key-sheet kbd").first.wait_for()
    sheet = page.locator(".key-sheet").inner_text()
    for line in ("All actions", "Next region", "Go to Archive", "Close, or go back"):
        assert line in sheet
    tool.press("Escape")
    assert page.locator(".key-sheet").count() == 0
    found = []
    for _ in range(3):
        tool.press("F6")
        found.append(focused(tool))
    assert set(found) == {"bar", "middle", "footer"}
    tool.press("Shift+F6")
    assert focused(tool) == found[-2]
    with page.expect_navigation():
        tool.press("Alt+3")
    assert page.url.endswith("/classifier.html")


def test_the_theme_is_chosen_kept_and_seen(open_page):
    tool = open_page("landing")
    page = tool.page
    colour = "getComputedStyle(document.body).backgroundColor"
    light = page.evaluate(colour)
    button = page.locator(".bar-buttons button").last
    for label in ("Theme: as the system", "Theme: light"):
        assert button.get_attribute("aria-label") == label
        button.click()
    assert button.get_attribute("aria-label") == "Theme: dark"
    dark = page.evaluate(colour)
    assert dark != light
    page.reload()
    assert page.evaluate(colour) == dark
    assert page.evaluate("Object.keys(localStorage)") == ["zddc.theme"]


def test_a_store_that_is_forbidden_stops_nothing(open_page):
    forbid = "Object.defineProperty(window, 'localStorage', {get() { throw new DOMException('no', 'SecurityError') }})"
    tool = open_page("landing", before=forbid)
    tool.page.locator(".bar-buttons button").last.click()
    assert tool.page.evaluate("document.documentElement.dataset.theme") == "light"


def test_what_goes_wrong_stays_in_a_list_that_can_be_copied(open_page):
    tool = open_page("landing", permissions=["clipboard-read", "clipboard-write"])
    page = tool.page
    tool.expect_complaint("planted")
    page.evaluate("() => { Promise.reject(new Error('planted \\u202e<b>')) }")
    count = page.locator(".problem-count")
    count.get_by_text("1 problem").wait_for()
    count.click()
    line = page.locator(".problems li")
    assert "⟦U+202E⟧<b>" in line.inner_text()
    page.get_by_role("button", name="Copy all").click()
    page.locator(".toast").get_by_text("Copied.").wait_for()
    assert page.evaluate("navigator.clipboard.readText()").startswith("this page: Error: planted \u202e<b>; ")
    tool.press("Escape")
    assert page.locator(".problems").count() == 0
    assert count.inner_text() == "1 problem"
    count.press("Enter")  # a click would wait until the message in front of it is gone
    page.get_by_role("button", name="Clear the list").click()
    assert count.inner_text() == "No problems"


def test_the_page_says_what_it_is(open_page, pages):
    tool = open_page("landing")
    page = tool.page
    tool.press("Control+k")
    page.get_by_role("option").first.wait_for()
    page.keyboard.type("about")
    tool.press("Enter")
    shown = page.locator(".about").inner_text()
    assert re.search(r"<meta name=\"generator\" content=\"zddc ([^\"]+)\">", pages["landing"])[1] in shown
    assert tools.read_pages()["landing"].code_sha256 in shown
    page.locator(".about summary").click()
    assert "Jason Miller" in page.locator(".about pre").inner_text()


def test_a_narrow_window_shows_all_without_scrolling_sideways(open_page):
    for width in (320, 390):
        tool = open_page("landing", width=width, height=700)
        overflow = "document.documentElement.scrollWidth - document.documentElement.clientWidth"
        assert tool.page.evaluate(overflow) == 0
        middle = tool.page.locator("main")
        assert middle.evaluate("one => one.scrollWidth - one.clientWidth") == 0
        assert tool.page.locator(".bar").bounding_box()["width"] == width


def test_paper_has_the_content_the_address_and_the_time_and_no_buttons(open_page):
    tool = open_page("landing")
    page = tool.page
    page.emulate_media(media="print")
    page.evaluate("dispatchEvent(new Event('beforeprint'))")
    head = page.locator(".print-head")
    assert head.is_visible()
    assert "/landing.html" in head.inner_text()
    assert re.search(r"Printed \d{4}-\d\d-\d\d \d\d:\d\d", head.inner_text())
    for hidden in (".bar", ".foot", "button"):
        assert not page.locator(hidden).first.is_visible()
    for paper in ("A4", "Letter"):
        assert page.pdf(format=paper).startswith(b"%PDF")


def test_without_script_the_page_says_so(open_page):
    tool = open_page("landing", java_script_enabled=False)
    assert "This page needs JavaScript" in tool.page.locator("noscript p").inner_text()


def test_hostile_state_in_the_address_stays_text(open_page, evil):
    fragment = "&".join(f"q={quote(text)}&sort={quote(text)}&doc={quote(text)}&{quote(text)}=1" for text in evil)
    tool = open_page("landing", fragment=fragment)
    assert tool.page.locator("main h1").is_visible()
    tool.page.evaluate("location.hash = '#q=%&%ff=%zz'")
    assert tool.page.locator("main h1").is_visible()
