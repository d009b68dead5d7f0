"""The workspace is found where it was said to be, and names what lies in it."""

import re
from pathlib import Path

import pytest

from weakspot import workspace as workspaces
from weakspot.workspace import AdapterName, Workspace
from zddc.errors import UserError

DOCUMENTED = Path(__file__).parents[2] / "docs" / "data-format.md"


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch) -> Path:
    """Stand in an empty folder, with no workspace named by the environment."""
    monkeypatch.delenv("WEAKSPOT_WORKSPACE", raising=False)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def add_adapter(workspace: Workspace, name: str, *, complete: bool = True) -> None:
    folder = workspace.adapters / name
    folder.mkdir(parents=True)
    if complete:
        (folder / "manifest.json").write_text("{}")


def add_snapshot(workspace: Workspace, name: str, *, complete: bool = True) -> None:
    workspace.snapshot(name).mkdir(parents=True)
    if complete:
        workspace.snapshot_manifest(name).write_text("{}")


def test_the_one_given_comes_before_all_others(folder, monkeypatch):
    (folder / "weakspot.toml").touch()
    monkeypatch.setenv("WEAKSPOT_WORKSPACE", "named")
    assert workspaces.find_workspace(Path("given")).root == Path("given")


def test_the_environment_comes_before_the_nearest(folder, monkeypatch):
    (folder / "weakspot.toml").touch()
    monkeypatch.setenv("WEAKSPOT_WORKSPACE", "named")
    assert workspaces.find_workspace(None).root == Path("named")


@pytest.mark.parametrize("below", [".", "a", "a/b/c"])
def test_the_nearest_settings_upwards_come_before_the_default(folder, monkeypatch, below):
    (folder / "weakspot.toml").touch()
    (folder / below).mkdir(parents=True, exist_ok=True)
    monkeypatch.chdir(folder / below)
    assert workspaces.find_workspace(None).root == folder


def test_of_two_settings_upwards_the_nearer_counts(folder, monkeypatch):
    (folder / "a/b").mkdir(parents=True)
    (folder / "weakspot.toml").touch()
    (folder / "a/weakspot.toml").touch()
    monkeypatch.chdir(folder / "a/b")
    assert workspaces.find_workspace(None).root == folder / "a"


def test_a_folder_that_is_called_like_the_settings_is_none(folder):
    (folder / "weakspot.toml").mkdir()
    assert workspaces.find_workspace(None).root == folder / "training-data"


@pytest.mark.parametrize("value", [None, ""])
def test_with_nothing_said_it_is_training_data_here(folder, monkeypatch, value):
    if value is not None:
        monkeypatch.setenv("WEAKSPOT_WORKSPACE", value)
    assert workspaces.find_workspace(None).root == folder / "training-data"


def test_the_search_ends_at_the_home_folder(folder, monkeypatch):
    below = folder / "home/project"
    below.mkdir(parents=True)
    monkeypatch.setenv("HOME", str(folder / "home"))
    monkeypatch.chdir(below)
    (folder / "weakspot.toml").touch()
    assert workspaces.find_workspace(None).root == below / "training-data"
    (folder / "home/weakspot.toml").touch()
    assert workspaces.find_workspace(None).root == folder / "home"


def test_a_file_of_somebody_else_is_passed_over_and_reported(folder, monkeypatch):
    (folder / "a").mkdir()
    (folder / "weakspot.toml").touch()
    (folder / "a/weakspot.toml").touch()
    monkeypatch.chdir(folder / "a")
    told = []
    found = workspaces.find_workspace(None, lambda file: "it is Eve's" if file.parent.name == "a" else "", told.append)
    assert found.root == folder
    place = folder / "a"
    assert told == [
        f"{place / 'weakspot.toml'}: not read, since it is Eve's; if it is yours, name it: --workspace {place}"
    ]
    assert workspaces.find_workspace(place, lambda _: "never").root == place


def test_of_the_default_folder_somebody_elses_settings_are_refused(folder):
    (folder / "training-data").mkdir()
    (folder / "training-data/weakspot.toml").touch()
    with pytest.raises(UserError, match="it is Eve's; if it is yours, name it: --workspace"):
        workspaces.find_workspace(None, lambda _: "it is Eve's")


def test_agreements_are_kept_in_the_users_own_folder(monkeypatch, tmp_path):
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    assert workspaces.agreements_file().parent == tmp_path / "weakspot"
    monkeypatch.setenv("XDG_CONFIG_HOME", "relative")
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    assert workspaces.agreements_file().parent == tmp_path / "home/.config/weakspot"


def test_a_file_is_no_workspace(folder):
    (folder / "plan.txt").touch()
    with pytest.raises(UserError, match=r"plan.txt: a file, not a folder; give the workspace's folder"):
        workspaces.find_workspace(folder / "plan.txt")


def documented() -> list[str]:
    """Return the paths of the layout that the documents show, with their ``<...>`` and ``[...]``."""
    return re.findall(r"^[├└]── (\S+)", DOCUMENTED.read_text(encoding="utf-8"), re.MULTILINE)


def test_the_layout_is_the_documented_one():
    w, name = Workspace(Path("w")), AdapterName("build-system", 3)
    filled = {"<domain>": "build-system", "<N>": "3", "<date>[.<n>]": "2025-10-31.2"}
    shown = {re.sub(r"<domain>|<N>|<date>\[.<n>\]", lambda part: filled[part[0]], path) for path in documented()}
    named = [
        w.config_file, w.raw, w.decisions, w.unfitted, w.unheard, w.thoughts, w.usage, w.releases,
        w.spending, w.clients,
        w.all_examples, w.multi_domain, w.examples("build-system"), w.rejections,
        w.split("train"), w.split("val"), w.split("test"), w.assignments,
        w.adapter(name), w.merged(name), w.snapshot("v2025-10-31.2"),
    ]  # fmt: skip
    assert {path.relative_to("w") for path in named} == {Path(path) for path in shown}
    assert len(named) == len(documented())


@pytest.mark.slow
def test_the_stages_write_what_the_layout_names_and_nothing_else(merged):
    root = merged[0].root
    kinds = {"<domain>": r"(colours|numbers)", "<N>": "1", "<date>": r"\d{4}-\d\d-\d\d", "[.<n>]": ""}
    patterns = {path: path for path in documented()}
    for part, pattern in kinds.items():
        patterns = {path: known.replace(part, pattern) for path, known in patterns.items()}
    written = [file.relative_to(root).as_posix() for file in root.rglob("*") if file.is_file()]
    matched = {
        file: [
            path
            for path, pattern in patterns.items()
            if re.match(pattern if path.endswith("/") else f"{pattern}$", file)
        ]
        for file in written
    }
    assert [file for file, paths in matched.items() if len(paths) != 1] == [".lock"]
    # By hand, and by the gateway.
    others = {"weakspot.toml", *(f"raw/{name}.jsonl" for name in ("decisions", "unfitted", "unheard", "thoughts"))}
    others |= {"usage.jsonl", "releases.jsonl", "spending.jsonl", "clients.jsonl"}
    assert {path for paths in matched.values() for path in paths} == set(documented()) - others


def test_an_adapter_is_called_by_domain_and_version():
    name = AdapterName("zddc-naming", 1)
    assert str(name) == "zddc-naming-lora-v1"
    assert name.label == "lora-v1-zddc_naming"


def test_adapters_are_listed_by_domain_and_version_counting_as_numbers_do(workspace):
    for name in ("b-lora-v10", "b-lora-v9", "a-lora-v2"):
        add_adapter(workspace, name)
    assert [str(name) for name in workspace.adapter_names()] == ["a-lora-v2", "b-lora-v9", "b-lora-v10"]
    assert workspace.newest_adapter("b") == AdapterName("b", 10)


@pytest.mark.parametrize(
    "name", ["b-lora-v1-merged", "b-lora-v0", "b-lora-v01", "b-lora-vx", "-lora-v1", "b-lora-v1.tmp"]
)
def test_a_folder_of_another_name_is_no_adapter(workspace, name):
    add_adapter(workspace, name)
    assert workspace.adapter_names(complete=False) == []


def test_an_adapter_without_a_manifest_is_listed_only_when_asked_for(workspace):
    add_adapter(workspace, "b-lora-v1", complete=False)
    assert workspace.adapter_names() == []
    assert workspace.adapter_names("b", complete=False) == [AdapterName("b", 1)]
    assert workspace.newest_adapter("b") is None


def test_the_next_adapter_goes_on_where_an_incomplete_one_stopped(workspace):
    add_adapter(workspace, "b-lora-v1")
    add_adapter(workspace, "b-lora-v2", complete=False)
    assert workspace.next_adapter("b") == AdapterName("b", 2)
    assert workspace.next_adapter("other") == AdapterName("other", 1)


def test_a_domain_is_not_taken_for_another_that_ends_like_it(workspace):
    add_adapter(workspace, "sub-b-lora-v1")
    assert workspace.adapter_names("b") == []


def test_an_adapter_that_is_needed_and_missing_is_a_users_mistake(workspace):
    with pytest.raises(UserError, match="b: has no complete adapter; run 'weakspot train b'"):
        workspace.require_adapter("b")


def test_snapshots_are_listed_by_day_and_number_counting_as_numbers_do(workspace):
    for name in ("v2025-10-31.10", "v2025-10-31.2", "v2025-11-01", "v2025-10-31", "v2024-12-31.3"):
        add_snapshot(workspace, name)
    assert workspace.snapshot_names() == [
        "v2024-12-31.3",
        "v2025-10-31",
        "v2025-10-31.2",
        "v2025-10-31.10",
        "v2025-11-01",
    ]


def test_a_snapshot_without_a_manifest_and_a_folder_of_another_name_are_none(workspace):
    add_snapshot(workspace, "v2025-10-31", complete=False)
    add_snapshot(workspace, "v2025-10-31-old")
    add_snapshot(workspace, ".v2025-10-31.tmp")
    assert workspace.snapshot_names() == []
    assert workspace.snapshot_names(complete=False) == ["v2025-10-31"]


@pytest.mark.parametrize(
    ("taken", "expected"),
    [
        ([], "v2025-10-31"),
        (["v2025-10-30.7"], "v2025-10-31"),
        (["v2025-10-31"], "v2025-10-31.2"),
        (["v2025-10-31", "v2025-10-31.10"], "v2025-10-31.11"),
        (["v2025-10-31.9"], "v2025-10-31.10"),
        (["v2025-11-01"], "v2025-11-01.2"),
    ],
    ids=["first", "new day", "second", "hole", "first removed", "clock went back"],
)
def test_the_next_snapshot_comes_after_all_others(workspace, taken, expected):
    for name in taken:
        add_snapshot(workspace, name)
    assert workspace.next_snapshot("2025-10-31") == expected


def test_the_next_snapshot_does_not_take_the_place_of_an_incomplete_one(workspace):
    add_snapshot(workspace, "v2025-10-31", complete=False)
    assert workspace.next_snapshot("2025-10-31") == "v2025-10-31.2"


def test_the_files_of_examples_are_those_of_the_domains_and_the_merged_one(workspace):
    workspace.processed.mkdir(parents=True)
    for name in ("all", "rejections", "multi-domain", "b", "a"):
        workspace.examples(name).touch()
    assert list(workspace.example_files()) == ["a", "b", "multi-domain"]
