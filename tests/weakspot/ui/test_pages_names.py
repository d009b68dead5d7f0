"""A name in an address is one of those that there are, and leads to no other file."""

import pytest

from weakspot.workspace import AdapterName


@pytest.fixture
def outside_of_it(workspace):
    """A file that a page would show were it an adapter's, beside the folder of adapters and above the workspace."""
    places = [workspace.root / "outside-lora-v1", workspace.root.parent / "outside-lora-v1"]
    for place in places:
        place.mkdir(parents=True)
        (place / workspace.evaluation_page(AdapterName("outside", 1)).name).write_text("not to be seen")
        (place / workspace.adapter_metrics(AdapterName("outside", 1)).name).write_text('{"step": 1, "loss": 1.0}\n')
    return places


@pytest.mark.parametrize("up", ["..%2F", "..%2F..%2F", "%2e%2e%2F", "../", "x-lora-v1%2F..%2F..%2F"])
@pytest.mark.parametrize("page", ["scorecard", "curve.svg"])
def test_no_name_leads_out_of_the_folder_of_adapters(client, outside_of_it, up, page):
    answer = client.get(f"/adapters/{up}outside-lora-v1/{page}")
    assert answer.status == 404
    assert "not to be seen" not in answer.text


@pytest.mark.parametrize("name", ["..%2Fpages.py", "..%2Ftemplates%2Foverview.html", "overview.html", "../pages.py"])
def test_of_the_files_of_the_pages_three_are_served(client, name):
    assert client.get(f"/{name}").status == 404
