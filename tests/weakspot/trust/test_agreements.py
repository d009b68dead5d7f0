"""Nothing is sent where nobody agreed to it: by what was named, by a question, by a command, and for how long."""

import contextlib
import os
import pty
import subprocess
import sys
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from weakspot.records import Release
from weakspot.trust.agreements import remember_agreements, require_agreements, standings
from weakspot.trust.recipients import Recipient
from weakspot.workspace import Workspace, agreements_file
from zddc.errors import UserError

FAR, NEAR = "http://evil.test/v1", "http://127.0.0.1:23903/v1"


@pytest.fixture(autouse=True)
def own_folder(tmp_path, monkeypatch):
    """Give the user a folder of settings of their own."""
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    monkeypatch.delenv("WEAKSPOT_WORKSPACE", raising=False)


def counts(workspace, address, variable, *settings, named=False):
    (found,) = standings(workspace, [Recipient(address, variable)], named=named, settings=settings)
    return bool(found.reason)


@pytest.mark.parametrize(
    ("address", "variable", "found", "named"),
    [
        (NEAR, "", True, True),
        (NEAR, "TEACHER_KEY", False, True),
        (NEAR, "GITHUB_TOKEN", False, False),
        (NEAR, "ANTHROPIC_API_KEY", False, True),
        (NEAR, "AWS_SECRET_ACCESS_KEY", False, False),
        (NEAR, "HOME", False, False),
        (FAR, "", False, False),
        (FAR, "TEACHER_KEY", False, False),
        ("https://api.anthropic.com", "ANTHROPIC_API_KEY", True, True),
        ("https://api.anthropic.com", "GITHUB_TOKEN", False, False),
    ],
)
def test_what_counts_without_a_question(workspace, address, variable, found, named):
    assert counts(workspace, address, variable) == found
    assert counts(workspace, address, variable, named=True) == named


@pytest.mark.parametrize(
    ("settings", "found"),
    [
        ([f"gateway.upstream={FAR}", "gateway.upstream_api_key_env=KEY"], True),
        ([f"gateway.upstream={FAR}/", 'gateway.upstream_api_key_env="KEY"'], True),
        ([f'teachers.t={{kind="openai", base_url="{FAR}", api_key_env="KEY"}}'], True),
        ([f"gateway.upstream={FAR}"], False),  # the variable is the file's
        (["gateway.upstream_api_key_env=KEY"], False),  # the address is the file's
        (["gateway.upstream=http://evil.test", "gateway.upstream_api_key_env=KEY"], False),
        (["process.near_duplicate_threshold=0.9"], False),
    ],
)
def test_the_command_line_is_a_persons_word_for_both_or_for_neither(workspace, settings, found):
    assert counts(workspace, FAR, "KEY", *settings) == found


def test_without_a_terminal_it_is_one_line_and_nothing_is_remembered(workspace):
    with pytest.raises(UserError) as refused:
        require_agreements(workspace, [Recipient("http://me:secret@evil.test/v1", "KEY")], named=True)
    assert str(refused.value) == (
        f"{workspace.config_file}: wants to send KEY to http://evil.test/v1, and nobody agreed to that; "
        "see 'weakspot trust --list', agree with 'weakspot trust'"
    )
    assert not agreements_file().exists()


def test_a_question_is_put_once_and_the_answer_is_remembered_for_that_workspace_alone(workspace, tmp_path):
    asked = []

    def yes(question):
        asked.append(question)
        return True

    wanted = [Recipient(FAR, "KEY"), Recipient(NEAR, ""), Recipient(FAR, "KEY")]
    for _ in range(2):
        require_agreements(workspace, wanted, named=False, ask=yes)
    assert asked == [f"this workspace wants to send KEY to {FAR}: allow?"]
    assert not counts(workspace, FAR, "OTHER")
    assert not counts(workspace, f"{FAR}/elsewhere", "KEY")
    assert not counts(Workspace(tmp_path / "other"), FAR, "KEY")
    assert not workspace.root.exists()


def test_a_no_ends_the_command_and_is_asked_again(workspace):
    for _ in range(2):
        with pytest.raises(UserError, match="you do not agree; change that setting; nothing was done"):
            require_agreements(workspace, [Recipient(FAR, "KEY")], named=True, ask=lambda _: False)
    assert not counts(workspace, FAR, "KEY", named=True)


def test_a_damaged_agreement_is_none(workspace):
    remember_agreements(workspace, [Recipient(FAR, "KEY")])
    assert counts(workspace, FAR, "KEY")
    file = agreements_file()
    file.write_bytes(file.read_bytes()[:-20])
    assert not counts(workspace, FAR, "KEY")
    remember_agreements(workspace, [Recipient(FAR, "KEY")])
    assert counts(workspace, FAR, "KEY")


TEXT = st.text(max_size=30)


@given(host=TEXT, variable=st.from_regex(r"[A-Z_]{1,20}", fullmatch=True), named=st.booleans())
def test_no_other_host_gets_a_key_unasked(host, variable, named, tmp_path_factory):
    one = Recipient(f"http://{host}.evil.test/v1", variable)
    with pytest.MonkeyPatch.context() as patched:
        folder = tmp_path_factory.mktemp("user")
        patched.setenv("XDG_CONFIG_HOME", str(folder))
        (found,) = standings(Workspace(folder), [one], named=named)
    assert found.reason == "" or host.split("/")[0].split("?")[0].split("#")[0].rpartition(":")[0] == "localhost"


# The commands


def settings_of(workspace, text):
    workspace.root.mkdir(exist_ok=True)
    workspace.config_file.write_text(text)


STEALS = f'[gateway]\nupstream = "{FAR}"\nupstream_api_key_env = "GITHUB_TOKEN"\n'
TEACHER = f'[teachers.sonnet]\nbase_url = "{FAR}"\n'


@pytest.mark.parametrize(
    ("text", "command"),
    [
        (STEALS, ["gateway"]),
        (TEACHER, ["gateway"]),
        (TEACHER, ["mcp"]),
        (TEACHER, ["replay", "--judge", "sonnet"]),
        (STEALS, ["deploy", "--to", "gateway"]),
        (f"{STEALS}[deploy]\ntarget = 'vllm'\n", ["run"]),
        (f"{STEALS}[deploy]\ntarget = 'vllm'\n", ["watch", "--once"]),
    ],
)
def test_no_command_begins_before_somebody_agreed(weakspot, workspace, text, command):
    settings_of(workspace, text)
    status, out, err = weakspot(*command)
    assert (status, out, err.count("\n")) == (1, "", 1)
    assert "and nobody agreed to that; see 'weakspot trust --list', agree with 'weakspot trust'" in err


def test_trust_lists_what_is_sent_where_and_agrees_to_it(weakspot, workspace):
    settings_of(workspace, STEALS)
    sonnet = "ANTHROPIC_API_KEY to https://api.anthropic.com: the provider's own\n"
    refused = f"GITHUB_TOKEN to {FAR}: nobody agreed to that; weakspot trust\n"
    for _ in range(2):
        assert weakspot("trust", "--list") == (0, refused + sonnet, "")
    days = [datetime.now(UTC).date()]
    told = weakspot("trust")
    days.append(datetime.now(UTC).date())
    possible = [f"GITHUB_TOKEN to {FAR}: you agreed on {day}\n" for day in days]
    assert told in [(0, agreed + sonnet, "") for agreed in possible]
    agreed = told[1].removesuffix(sonnet)
    settings_of(workspace, f"{STEALS}[lora]\nrank = 8\n")
    assert weakspot("trust", "--list") == (0, agreed + sonnet, "")
    settings_of(workspace, STEALS.replace("GITHUB_TOKEN", "HOME"))
    assert f"HOME to {FAR}: nobody agreed" in weakspot("trust", "--list")[1]


def test_commands_that_send_nothing_ask_nothing(weakspot, workspace):
    settings_of(workspace, STEALS)
    assert weakspot("status")[0] == 0
    assert weakspot("collect", "--query", "q", "--local", "l", "--expert", "e")[0] == 0
    assert weakspot("process")[0] == 0
    assert weakspot("run")[2].count("agreed") == 0


def on_terminal(folder, answer):
    """Run a command that would ask a teacher, on a terminal in a folder; return its status and all that it said."""
    command = [sys.executable, "-m", "weakspot", "replay", "--judge", "sonnet"]
    ours, theirs = pty.openpty()
    os.write(ours, answer)
    with subprocess.Popen(command, stdin=theirs, stdout=subprocess.DEVNULL, stderr=theirs, cwd=folder) as process:
        os.close(theirs)
        said = b""
        with contextlib.suppress(OSError):  # the other end is closed
            while piece := os.read(ours, 65536):
                said += piece
    os.close(ours)
    return process.returncode, " ".join(said.decode().split())


@pytest.mark.slow
def test_a_found_workspace_asks_on_a_terminal_once(tmp_path):
    """The settings of a cloned repository belong to who cloned it, and lie above where a command is run."""
    cloned = Workspace(tmp_path / "cloned")
    (cloned.root / "src").mkdir(parents=True)
    settings_of(cloned, TEACHER)
    question = f"this workspace wants to send ANTHROPIC_API_KEY to {FAR}: allow?"
    status, said = on_terminal(cloned.root / "src", b"n\n")
    assert (status, said.count(question)) == (1, 1)
    assert said.endswith("and you do not agree; change that setting; nothing was done")
    status, said = on_terminal(cloned.root / "src", b"y\n")
    assert (status, said.count(question)) == (1, 1)
    assert "has no complete adapter" in said
    settings_of(cloned, f"{TEACHER}[lora]\nrank = 8\n")
    status, said = on_terminal(cloned.root / "src", b"")
    assert (status, said.count(question)) == (1, 0)
    assert "has no complete adapter" in said


def test_settings_of_somebody_else_are_passed_over_and_said(weakspot, workspace, tmp_path, monkeypatch):
    monkeypatch.delenv("WEAKSPOT_WORKSPACE")
    (tmp_path / "shared/src").mkdir(parents=True)
    (tmp_path / "shared/weakspot.toml").write_text(STEALS)
    (tmp_path / "shared").chmod(0o777)
    monkeypatch.chdir(tmp_path / "shared/src")
    status, out, err = weakspot("trust", "--list")
    assert (status, FAR in out) == (0, False)
    assert f"{tmp_path / 'shared'}; if it is yours, name it: --workspace" in err


def test_a_rollback_sends_nothing_to_an_address_that_only_a_list_of_releases_names(weakspot, workspace):
    settings_of(workspace, "")
    release = {"number": 1, "domain": "spam", "target": "gateway", "adapter": "spam-lora-v1", "location": FAR}
    made = Release.model_construct(**release)
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr("weakspot.deployment.releases.read_releases", lambda _: [made])
        status, _, err = weakspot("rollback", "spam")
    assert (status, f"wants to send conversations to {FAR}" in err) == (1, True)


def test_a_command_of_the_settings_runs_only_after_a_person_agreed_to_it(weakspot, workspace, tmp_path):
    touched = tmp_path / "ran"
    settings_of(workspace, f'[watch]\nidle_minutes = 0\nbefore_training = "touch {touched}"\n')
    for command in ("run", "watch --once"):
        status, _, err = weakspot(*command.split())
        assert (status, f"wants to run 'touch {touched}', and nobody agreed to that" in err) == (1, True)
    status, out, _ = weakspot("trust")
    assert (status, f"run 'touch {touched}': you agreed on " in out) == (0, True)
    assert "wants to run" not in weakspot("run")[2]
    settings_of(workspace, f'[watch]\nbefore_training = "touch {touched}2"\n')
    assert f"wants to run 'touch {touched}2'" in weakspot("run")[2]
    assert "wants to run" not in weakspot("run", "--set", f"watch.before_training=touch {touched}2")[2]
