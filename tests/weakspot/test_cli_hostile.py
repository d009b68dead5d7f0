"""Hostile text in every field of settings, records, logs and requests: nothing raw on a terminal, and no traceback."""

import json
import os

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from zddc.visible import visible

pytestmark = pytest.mark.slow
SOAK = bool(os.environ.get("WEAKSPOT_SOAK"))
TRIALS = settings(
    max_examples=1000 if SOAK else 40,
    phases=[Phase.generate],
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
PIECES = ["\x1b]0;owned\x07", "\x1b[2J", "\x9b31m", "\r", "\x00", "\u202e", "\u200b", "\u2066", "\x7f", "\n", "\t"]
PIECES += [
    "<script>",
    "[red]",
    "[/]",
    "{0}",
    "%s",
    "../",
    "sk-ant-",
    "é",
    "平",
    "👍",
    "a",
    "b",
    " ",
    "=",
    '"',
    "'",
    "\\",
]
HOSTILE = st.lists(st.sampled_from(PIECES), min_size=1, max_size=6).map("".join)
# Each makes one value of the settings hostile, or a key.
SETTINGS = st.sampled_from(
    [
        "[model]\nbase = {}",
        "[model]\nrevision = {}",
        "[gateway]\nupstream = {}",
        "[gateway]\nalias = {}",
        "[gateway]\nlisten = {}",
        "[gateway]\norigins = [{}]",
        "[gateway]\nhosts = [{}]",
        "[gateway]\npass = [{}]",
        "[gateway]\nupstream_api_key_env = {}",
        "[escalation]\nphrases = [{}]",
        "[escalation]\ndefault_teacher = {}",
        "[domains]\n{} = {{ triggers = [{}] }}",
        "[domains.spam]\ntriggers = [{}]\nexcept = [{}]",
        "[teachers.{}]\nmodel = {}\nbase_url = {}\napi_key_env = {}\nterms = {}",
        "[teachers.sonnet]\nmodel = {}\nnames = [{}]\nbase_url = {}\nkind = {}",
        "[collect]\ndefault_domain = {}",
        "[lora]\ntarget_modules = [{}]",
        "[train]\nprecision = {}",
        "[{}]\n{} = {}",
        "{} = {}",
        "{}",
    ]
)
COMMANDS = [
    ("status",),
    ("status", "--json"),
    ("process",),
    ("validate",),
    ("validate", "--json"),
    ("trust",),
    ("releases",),
    ("economics",),
    ("trace", "{}"),
    ("forget", "{}"),
    ("allow", "{}"),
    ("evaluate", "{}"),
    ("deploy", "{}", "--to", "merged"),
    ("rollback", "{}"),
    ("process", "--set", "{}"),
    ("collect", "--query", "{}", "--qwen", "{}", "--expert", "{}", "--domain", "{}"),
    ("{}",),
]


@st.composite
def filled(draw, template: str, quote) -> str:
    """Return a template with a hostile text in each place."""
    return template.format(*(quote(draw(HOSTILE)) for _ in range(template.count("{}"))))


def toml(text: str) -> str:
    return json.dumps(text, ensure_ascii=True) if text.isascii() else json.dumps(text, ensure_ascii=False)


def is_clean(text: str) -> bool:
    """Whether a terminal shows a text as it is; the ends of lines are a terminal's own business."""
    return all(visible(line) == line for line in text.split("\n"))


@TRIALS
@given(data=st.data())
def test_of_settings_and_arguments(weakspot, new_workspace, data):
    workspace = new_workspace()
    workspace.root.mkdir(exist_ok=True)
    template = data.draw(SETTINGS)
    workspace.config_file.write_text(data.draw(filled(template, toml)), encoding="utf-8")
    command = data.draw(st.sampled_from(COMMANDS))
    arguments = [data.draw(filled(one, str)) for one in command]
    check(weakspot(*arguments, "--workspace", str(workspace.root)))


@TRIALS
@given(data=st.data())
def test_of_records_and_logs(weakspot, new_workspace, data):
    workspace = new_workspace()
    workspace.root.mkdir(exist_ok=True)
    query, expert, domain, teacher, identity = (data.draw(HOSTILE) for _ in range(5))
    turns = [("user", query), ("assistant", expert), ("user", "consult Sonnet"), ("assistant", expert)]
    consultation = {"teacher": teacher, "model": teacher, "policy": "allow", "terms": domain}
    metadata = {
        "timestamp": data.draw(st.sampled_from(["2025-10-31T14:30:00.000Z", query])),
        "interaction_id": data.draw(st.sampled_from(["int_1", identity])),
        "domain": domain,
        "source": teacher,
        "consultation": consultation,
    }
    record = {"messages": [{"role": role, "content": text} for role, text in turns], "metadata": metadata}
    lines = [json.dumps(record), identity.replace("\n", ""), json.dumps({domain: query})]
    commands = [("process",), ("validate",), ("status",), ("status", "--json"), ("allow",), ("trace", "int_1")]
    where = data.draw(st.sampled_from(["raw", "log"]))
    file = workspace.raw if where == "raw" else workspace.root / "log.jsonl"
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes("\n".join([*lines, ""]).encode())
    if where == "log":
        commands.insert(0, ("collect", "--from", str(file), "--yes"))
    for command in commands:
        check(weakspot(*command, "--workspace", str(workspace.root)))


def check(result: tuple[int, str, str]) -> None:
    status, out, err = result
    assert status in (0, 1, 2), err
    assert "Traceback" not in err
    assert is_clean(out)
    assert is_clean(err)
    assert status != 1 or err.strip() or out.strip()
