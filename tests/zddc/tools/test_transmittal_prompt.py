"""The transmittal page with the browser's own question before it writes: a real folder is published and verified."""

import pytest
from tests.zddc.tools.transmittal_folders import PASSWORD, Tool, write_key
from tests.zddc.transmittal import made

from zddc.transmittal.delivery import check_delivery, find_page
from zddc.transmittal.known_keys import KnownKey

pytestmark = [pytest.mark.browser, pytest.mark.slow]


@pytest.fixture
def tool(open_window):
    with open_window("transmittal") as opened:
        yield Tool(opened)


def test_a_real_folder_is_signed_after_the_browser_asked_acknowledged_and_verified(tool, open_window, tmp_path):
    folder = made.write_files(tmp_path / made.FOLDER)
    tool.drop(folder)
    tool.page.locator(".files tbody tr").first.wait_for()
    tool.fill(**{"from": "Acme", "to": "Pipe-Co"})
    tool.open_key(write_key(tmp_path), PASSWORD)
    tool.button("Publish", ".ready").click()
    dialog = tool.page.get_by_role("dialog")
    dialog.get_by_role("radio", name="Into the folder").check()
    dialog.get_by_role("button", name="Publish", exact=True).click()
    open_window.allow(tool.page.get_by_text("can write"))
    tool.page.locator(".counts").wait_for()
    assert tool.counts() == {"verified": 3}
    assert {path.name for path in folder.iterdir() if path.is_file()} >= {made.PAGE, "SHA256SUMS"}
    tool.button("Acknowledge receipt").click()
    tool.page.get_by_role("dialog").get_by_role("button", name="Acknowledge", exact=True).click()
    tool.page.locator("#acknowledged-head").wait_for()
    page, confirmed = find_page(folder)
    report = check_delivery(folder, page, confirmed, [KnownKey(made.THUMBPRINTS[0], "Acme")])
    assert not report.differs
    assert [one.page.name for one in report.acknowledgements] == [made.ACKNOWLEDGEMENT]
    verdicts = [one.verdict for judged in (report.judged, *report.acknowledgements) for one in judged.judgements]
    assert verdicts == ["valid, known key"] * 2
