"""The commands that make and check the dataset: what they print, as text and as JSON, and how they end."""

import io
import json
import os
import sys

import pytest
from tests.processes import output_of

from weakspot import cli, config
from weakspot.records import UnfittedConsultation
from weakspot.storage import append_log
from weakspot.workspace import Workspace
from zddc import console

TEXTS = ["--query", "Why this error?", "--qwen", "No idea.", "--expert", "It is not defined."]

NEXT = "next: weakspot collect, or weakspot gateway in front of your model\n"


@pytest.fixture
def as_json(weakspot):
    """Run a command that ends well with ``--json`` and give back its one object."""

    def run(*arguments: str, status: int = 0) -> dict:
        found, out, _ = weakspot(*arguments, "--json")
        assert found == status
        assert out.count("\n") == 1
        return json.loads(out)

    return run


def one_line(result: tuple[int, str, str]) -> str:
    """Check that a command failed with one line and nothing else; return the line."""
    status, out, err = result
    assert (status, out) == (1, "")
    assert err.count("\n") == 1
    return err.rstrip("\n")


@pytest.fixture
def import_file(tmp_path):
    """Write a file of interactions to import, forty in each of two domains."""
    file = tmp_path / "import.jsonl"
    flat = [
        {
            "query": f"question {n * 7919} {name}",
            "local": "l",
            "expert": f"{name} {n * 104729}.",
            "domain": name,
        }
        for n in range(40)
        for name in ("spam", "eggs")
    ]
    append_log.append(file, [json.dumps(one) for one in flat])
    return file


# init


def test_init_makes_a_workspace_with_commented_settings(weakspot, workspace):
    status, out, err = weakspot("init", str(workspace.root))
    assert (status, out, err) == (0, f"wrote {workspace.config_file}\n{NEXT}", "")
    assert config.load(workspace.config_file) == config.Config()


def test_init_makes_training_data_here(weakspot, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert weakspot("init") == (0, f"wrote training-data/weakspot.toml\n{NEXT}", "")


def test_init_says_what_it_wrote_as_json(as_json, workspace):
    assert as_json("init", str(workspace.root)) == {"config": str(workspace.config_file)}


def test_init_leaves_settings_that_are_there(weakspot, workspace):
    workspace.root.mkdir()
    workspace.config_file.write_text("[train]\nseed = 1\n")
    line = one_line(weakspot("init", str(workspace.root)))
    assert line == f"{workspace.config_file}: is there already; edit it, or give another folder"
    assert workspace.config_file.read_text() == "[train]\nseed = 1\n"


# collect


def test_collect_prints_domain_adapter_id_timestamp_and_file(weakspot, workspace):
    status, out, _ = weakspot("collect", *TEXTS)
    assert status == 0
    shown = dict(line.split(maxsplit=1) for line in out.splitlines())
    assert list(shown) == ["domain", "adapter", "interaction_id", "timestamp", "file"]
    assert (shown["domain"], shown["adapter"]) == ("coding-debugging", "lora-v1-coding_debugging")
    assert shown["file"] == str(workspace.raw)
    assert shown["interaction_id"] in workspace.raw.read_text()


def test_collect_shows_what_hit_as_json(as_json):
    found = as_json("collect", *TEXTS)
    assert found["hits"] == {"coding-debugging": {"query": ["error"], "answers": ["is not defined"]}}
    assert found["domain"] == "coding-debugging"


def test_collect_tries_again_what_did_not_fit(weakspot, as_json, workspace):
    kept = UnfittedConsultation(
        reason="bug",
        detail="",
        teacher="sonnet",
        conversation=[{"role": "user", "content": "q"}, {"role": "assistant", "content": "a"}],
        attempt=[],
        answer={"role": "assistant", "content": "b"},
        metadata={"timestamp": "2026-11-28T12:00:00.000Z", "interaction_id": "int_1"},
    )
    odd = kept.model_copy(
        update={"answer": {"role": "assistant", "content": ""}, "metadata": {"interaction_id": "int_2"}}
    )
    append_log.append(workspace.unfitted, [kept.to_json(), odd.to_json()])
    assert as_json("status")["unfitted"] == 2
    status, out, _ = weakspot("collect", "--unfitted")
    assert (status, out.splitlines()[0]) == (0, "1 consultation added, 1 still not fit to train on")
    assert "int_2: " in out
    assert as_json("collect", "--unfitted")["added"] == []


def test_collect_takes_a_domain_an_escalation_and_local_for_qwen(as_json, workspace):
    texts = [
        "--query",
        "q",
        "--local",
        "l",
        "--expert",
        "e",
        "--domain",
        "cooking",
        "--escalation",
        "ask Opus",
    ]
    assert as_json("collect", *texts)["domain"] == "cooking"
    assert [turn["content"] for turn in json.loads(workspace.raw.read_text())["messages"]] == [
        "q",
        "l",
        "ask Opus",
        "e",
    ]


@pytest.mark.slow
def test_any_text_may_come_from_a_file_or_standard_input(workspace, tmp_path):
    (tmp_path / "answer.md").write_bytes(b"\xef\xbb\xbfl\xc3\xb6cal\n")
    command = [sys.executable, "-m", "weakspot", "collect", "-w", str(workspace.root)]
    texts = ["--query", "q", "--local", f"@{tmp_path / 'answer.md'}", "--expert", "-"]
    output_of([*command, *texts], "expert\n平", encoding="utf-8")
    messages = json.loads(workspace.raw.read_text())["messages"]
    assert [messages[n]["content"] for n in (0, 1, 3)] == ["q", "löcal\n", "expert\n平"]


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        (["--query", "q"], "collect: --local, --expert missing; give all three texts, or --from PATH"),
        ([], "collect: --query, --local, --expert missing; give all three texts, or --from PATH"),
        (["--from", "x", "--query", "q"], "collect: --from does not go with --query; give one or the other"),
        (["--unfitted", "--from", "x"], "collect: --unfitted does not go with --from; give one or the other"),
        (
            [*TEXTS, "--domain", "../x"],
            "domain: '../x' is not a domain name: use lower-case letters, digits",
        ),
        (
            ["--query", "-", "--local", "-", "--expert", "e"],
            "collect: standard input can be only one of the texts",
        ),
        (
            ["--query", "@none.md", "--local", "l", "--expert", "e"],
            "none.md: no such file or directory; check the",
        ),
        (
            ["--query", "", "--local", "l", "--expert", "e"],
            "interaction: the query has no text; nothing was stored",
        ),
        (
            ["--query", "q\udcff", "--local", "l", "--expert", "e"],
            "interaction: a text holds a lone surrogate",
        ),
        (["--from", "none.jsonl"], "none.jsonl: no such file; give a file or a folder"),
        (["--qwen"], "weakspot: option '--qwen' requires an argument; see 'weakspot --help'"),
    ],
)
def test_a_wrong_collect_is_one_line_and_stores_nothing(weakspot, workspace, arguments, line):
    assert one_line(weakspot("collect", *arguments)).startswith(line)
    assert not workspace.raw.exists()


def test_a_text_file_that_is_not_utf_8_is_named(weakspot, tmp_path):
    (tmp_path / "latin.txt").write_bytes(b"caf\xe9")
    line = one_line(weakspot("collect", "--query", f"@{tmp_path / 'latin.txt'}", "--local", "l", "--expert", "e"))
    assert line == f"--query @{tmp_path / 'latin.txt'}: not UTF-8 at byte 3; save the text as UTF-8"


def test_standard_input_that_is_not_utf_8_is_one_line(weakspot, monkeypatch):
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(b"\xff"), encoding="utf-8"))
    line = one_line(weakspot("collect", "--query", "-", "--local", "l", "--expert", "e"))
    assert line == "--query -: not UTF-8 at byte 0; save the text as UTF-8"


def test_an_import_says_what_came_of_it(weakspot, as_json, import_file, workspace):
    assert weakspot("collect", "--from", str(import_file)) == (
        0,
        f"added 80, already there 0, bad 0: {workspace.raw}\n",
        "",
    )
    assert as_json("collect", "--from", str(import_file)) == {
        "added": 0,
        "already_there": 80,
        "bad": [],
        "file": str(workspace.raw),
        "ratings": 0,
    }


def test_bad_lines_of_an_import_are_named_by_number_and_end_with_status_1(weakspot, as_json, import_file):
    with import_file.open("a") as stream:
        stream.write('{"query": "half\n[]\n')
    status, out, err = weakspot("collect", "--from", str(import_file))
    assert (status, out.split(":")[0]) == (1, "added 80, already there 0, bad 2")
    assert err.splitlines() == [
        f"{import_file}:81: not-json: Unterminated string starting at: line 1 column 11 (char 10); "
        "mend the line and import again",
        f"{import_file}:82: not-json: a JSON list, not an object; mend the line and import again",
    ]
    found = as_json("collect", "--from", str(import_file), status=1)
    assert [(bad["line"], bad["reason"]) for bad in found["bad"]] == [(81, "not-json"), (82, "not-json")]


# process


def test_process_shows_each_domain_and_what_was_left_out(weakspot, import_file, workspace):
    weakspot("collect", "--from", str(import_file))
    append_log.append(workspace.raw, ["[]"])
    status, out, err = weakspot("process")
    assert (status, err) == (0, "")
    rows = [line.split() for line in out.splitlines()]
    assert ["domain", "train", "val", "test", "all"] in rows
    assert ["spam", "32", "4", "4", "40"] in rows
    assert "81 raw lines: 80 examples, left out: 1 not-json" in out
    assert f"snapshot {workspace.snapshot_names()[0]}" in out


def test_process_says_when_nothing_changed(weakspot, as_json, import_file, workspace):
    weakspot("collect", "--from", str(import_file))
    assert as_json("process") == {
        "changed": True,
        "snapshot": workspace.snapshot_names()[0],
        "raw_lines": 80,
        "examples": 80,
        "rejections": {},
        "domains": {name: {"train": 32, "val": 4, "test": 4} for name in ("eggs", "spam")},
    }
    assert weakspot("process")[1].startswith("nothing changed since snapshot v2")
    assert as_json("process")["changed"] is False


def test_process_without_a_raw_file_is_one_line(weakspot, workspace):
    line = one_line(weakspot("process"))
    assert line == f"{workspace.raw}: no interactions yet; capture some with 'weakspot collect'"


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("[trian]\n", "weakspot.toml: trian: unknown table; did you mean train"),
        ("[process]\nthreshold = 1\n", "weakspot.toml: [process] threshold: unknown key; "),
        (
            "[process]\nnear_duplicate_threshold = 2\n",
            "weakspot.toml: [process] near_duplicate_threshold: input",
        ),
        ("[process\n", "weakspot.toml: not valid TOML: "),
    ],
)
@pytest.mark.parametrize("command", [["collect", *TEXTS], ["process"], ["validate"]])
def test_malformed_settings_are_one_line_and_nothing_is_written(weakspot, workspace, text, line, command):
    workspace.root.mkdir()
    workspace.config_file.write_text(text)
    found = one_line(weakspot(*command))
    assert found.removeprefix(f"{workspace.root}/").startswith(line)
    assert [path.name for path in workspace.root.iterdir()] == ["weakspot.toml"]


def test_a_setting_on_the_command_line_is_for_this_run(as_json, workspace):
    assert as_json("collect", *TEXTS, "--set", "collect.default_domain=other")["domain"] == "coding-debugging"
    texts = ["--query", "q", "--local", "l", "--expert", "e"]
    assert as_json("collect", *texts, "--set", "collect.default_domain=other")["domain"] == "other"
    assert as_json("collect", *texts)["domain"] == "general-coding"


def test_a_full_disk_is_one_line_and_nothing_is_damaged(small_disk, monkeypatch, capsys, tmp_path):
    workspace = Workspace(small_disk)
    (tmp_path / "long.txt").write_text("word " * 20_000)
    command = ["collect", "-w", str(small_disk), "--local", "l", "--expert", "e", "--query"]
    assert console.run(cli.app, "weakspot", [*command, "first"]) == 0
    before = workspace.raw.read_bytes()
    assert console.run(cli.app, "weakspot", [*command, f"@{tmp_path / 'long.txt'}"]) == 1
    assert capsys.readouterr().err == (
        f"{workspace.raw}: no space left on device; free some space and run the command again, nothing was damaged\n"
    )
    assert workspace.raw.read_bytes() == before
    assert console.run(cli.app, "weakspot", [*command, "second"]) == 0
    assert len(list(append_log.read_lines(workspace.raw))) == 2


# validate


@pytest.fixture
def processed(weakspot, import_file):
    weakspot("collect", "--from", str(import_file))
    weakspot("process")


HEALTHY = ("--set", "validate.low_examples=10", "--set", "model.base=nobody/none")


@pytest.mark.usefixtures("processed")
def test_validate_prints_every_check_and_the_verdict(weakspot):
    status, out, err = weakspot("validate", *HEALTHY)
    assert (status, err) == (0, "")
    assert "No near-duplicate pair, conversation or question is in two splits" in " ".join(out.split())
    assert out.splitlines()[-2:] == [
        "80 raw lines, 80 examples (64 train, 8 val, 8 test), 0 rejections",
        "pass",
    ]


@pytest.mark.usefixtures("processed")
def test_validate_is_one_object_as_json(as_json, workspace):
    report = as_json("validate", *HEALTHY)
    assert list(report) == ["verdict", "findings", "counts"]
    assert report["verdict"] == "pass"
    assert {
        "check": "ids",
        "level": "pass",
        "detail": "No id occurs twice in a file",
        "place": None,
    } in report["findings"]
    assert report["counts"]["domains"]["spam"] == {"train": 32, "val": 4, "test": 4}
    assert list(as_json("validate", "spam", *HEALTHY)["counts"]["domains"]) == ["spam"]


@pytest.mark.usefixtures("processed")
@pytest.mark.parametrize(("options", "status"), [([], 0), (["--strict"], 1)])
def test_warnings_end_with_status_0_and_with_1_when_strict(weakspot, as_json, options, status):
    settings = ("--set", "model.base=nobody/none")
    found, out, _ = weakspot("validate", *settings, *options)
    assert (found, out.splitlines()[-1]) == (status, "warnings")
    assert "spam is LOW: 40 of 200 examples" in out
    assert as_json("validate", *settings, *options, status=status)["verdict"] == "warnings"


@pytest.mark.usefixtures("processed")
def test_failures_end_with_status_1_and_name_the_place(weakspot, as_json, workspace):
    with workspace.split("test").open("a") as stream:
        stream.write("half a li\n")
    status, out, err = weakspot("validate", *HEALTHY)
    assert (status, err, out.splitlines()[-1]) == (1, "", "failures")
    places = [finding["place"] for finding in as_json("validate", *HEALTHY, status=1)["findings"]]
    assert f"{workspace.split('test')}:9" in places


def test_validate_without_a_dataset_or_such_a_domain_is_one_line(weakspot, import_file, workspace):
    assert one_line(weakspot("validate")) == f"{workspace.all_examples}: no dataset yet; run 'weakspot process'"
    weakspot("collect", "--from", str(import_file))
    weakspot("process")
    assert one_line(weakspot("validate", "sapm")).startswith("sapm: no examples of this domain; choose from eggs")


def test_the_version_is_that_of_the_distribution(weakspot):
    from importlib.metadata import version

    assert weakspot("--version") == (0, f"weakspot {version('zddc')}\n", "")


ASKED = {"teacher": "sonnet", "model": "m", "policy": "ask", "terms": "their terms"}


def test_allow_lists_what_waits_and_allows_it(weakspot, as_json, workspace, example, capture):
    capture(workspace, [example(1, consultation=ASKED, interaction_id="int_1"), example(2)])
    status, out, _ = weakspot("allow")
    assert status == 0
    assert "int_1" in out
    assert out.splitlines()[-2:] == [
        "1 interaction waiting for permission; weakspot allow ID..., --teacher NAME or --all",
        "sonnet: their terms",
    ]
    assert as_json("allow", "--teacher", "sonnet") == {"allowed": ["int_1"]}
    assert weakspot("allow")[1] == "0 interactions waiting for permission\n"


def test_where_nothing_may_be_used_yet_process_and_status_say_what_waits(weakspot, workspace, example, capture):
    capture(workspace, [example(1, consultation=ASKED, interaction_id="int_1")])
    waits = "1 interaction waiting for permission: weakspot allow"
    shown = weakspot("process")[1].splitlines()
    assert (shown[0], shown[-1]) == ("1 raw line: 0 examples, left out: 1 policy-ask", waits)
    assert weakspot("status")[1].splitlines()[0].startswith("1 raw line, 0 not processed; ")
    assert waits in weakspot("status")[1]


def test_allow_refuses_where_it_is_told_to(weakspot, as_json, workspace, example, capture):
    capture(workspace, [example(1, consultation=ASKED, interaction_id="int_1")])
    assert as_json("allow", "int_1", "--refuse") == {"refused": ["int_1"]}
    assert one_line(weakspot("allow", "int_9")).startswith("int_9: no such interaction; ")


def test_scrub_shows_and_then_does(weakspot, as_json, workspace, interaction, capture):
    key = "ghp_" + "a1B2" * 9
    capture(workspace, [interaction(f"Is {key} safe?", interaction_id="int_1")])
    shown = as_json("scrub", "--dry-run")
    assert (shown["found"][0]["interaction_id"], shown["replaced"]) == ("int_1", False)
    _, out, _ = weakspot("scrub")
    assert out.endswith("1 of 1 line scrubbed; run 'weakspot process'\n")
    assert weakspot("scrub")[1] == "1 line, nothing to scrub\n"


def test_forget_says_what_still_holds_it(weakspot, as_json, workspace, example, capture):
    capture(workspace, [example(1, interaction_id="int_1"), example(2)])
    snapshot = as_json("process")["snapshot"]
    status, out, _ = weakspot("forget", "int_1")
    assert status == 0
    assert out.splitlines() == [
        "forgot int_1: 1 line erased",
        f"taken out of snapshots: {snapshot}",
    ]
    assert one_line(weakspot("forget", "int_9")).startswith("int_9: no such interaction; ")


@pytest.mark.parametrize("listen", ["127.0.0.1", "no-host-of-this-name.invalid:1", "127.0.0.1:99999"])
def test_a_gateway_that_cannot_listen_says_so_in_one_line(weakspot, listen):
    line = one_line(weakspot("gateway", "--listen", listen))
    assert listen in line


def others_may(root) -> list[str]:
    """Return what another user of the machine may read or write."""
    return [path.relative_to(root).as_posix() for path in root.rglob("*") if path.lstat().st_mode & 0o077]


def test_what_another_version_left_readable_is_mended_in_one_line(weakspot, workspace):
    assert weakspot("collect", *TEXTS)[0] == 0
    assert weakspot("process")[0] == 0
    assert others_may(workspace.root) == []
    readable = [workspace.raw, workspace.raw.parent, workspace.snapshots]
    for path in readable:
        path.chmod(0o755)
    status, _, err = weakspot("status")
    told = f"{workspace.root}: permissions of 3 files and folders mended: only you may read what is there now\n"
    assert (status, err) == (0, told)
    assert others_may(workspace.root) == []
    assert weakspot("status")[2] == ""


def test_a_team_reads_what_its_settings_share(weakspot, workspace):
    assert weakspot("collect", *TEXTS)[0] == 0
    workspace.config_file.write_text("[workspace]\ngroup_readable = true\n")
    assert "only you and your group may read what is there now" in weakspot("process")[2]
    assert weakspot("process")[0] == 0
    modes = {path.stat().st_mode & 0o777 for part in workspace.parts for path in (part, *part.rglob("*"))
             if path.is_file() and path != workspace.lock}  # fmt: skip
    assert modes <= {0o640, 0o440}


def test_a_link_is_refused_unless_the_settings_name_it(weakspot, workspace, tmp_path):
    (elsewhere := tmp_path / "elsewhere").mkdir()
    workspace.root.mkdir(exist_ok=True)
    workspace.processed.symlink_to(elsewhere)
    assert "processed: a link, and" in one_line(weakspot("collect", *TEXTS))
    workspace.config_file.write_text('[workspace]\nallow_links = ["processed"]\n')
    assert weakspot("collect", *TEXTS)[0] == 0
    assert weakspot("process")[0] == 0
    assert (elsewhere / workspace.all_examples.name).exists()


def test_only_what_ends_is_read(weakspot, tmp_path):
    os.mkfifo(pipe := tmp_path / "pipe.jsonl")
    (tmp_path / "link").symlink_to(tmp_path)
    assert "a pipe or a device, not a file" in one_line(weakspot("collect", "--from", str(pipe)))
    assert "a pipe or a device" in one_line(weakspot("collect", "--query", f"@{pipe}", *TEXTS[2:]))
    assert "a link to a folder; give" in one_line(weakspot("collect", "--from", str(tmp_path / "link")))
    assert "a pipe or a device" in one_line(weakspot("collect", "--from", "/dev/zero"))
