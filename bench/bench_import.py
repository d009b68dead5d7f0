"""Claim: 100,000 lines of every format are imported in bounded memory, and what was read is accounted for.

Each format is written as its program does, one conversation in ten with a consultation, and imported by the command in
a process of its own, into a fresh workspace. The peer is the same import of a tenth: where memory is bounded by the
conversation and not by the file, ten times the lines take little more of it. Seconds are those of the CPU. Each format
is written down as soon as it is measured, beside those that were measured before.

usage: python bench/bench_import.py [--lines N] [FORMAT...]
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import record

from zddc.console import out, table

LINES = 100_000
OPUS, LOCAL = "claude-opus-5-5", "qwen3-coder"
TURNS = (("user", LOCAL), ("assistant", LOCAL), ("user", OPUS), ("assistant", OPUS))
TIME = "2026-03-01T10:00:00.000Z"


def words(number: int) -> tuple[str, str, str, str]:
    """Return the texts of a conversation: a consultation in one of ten."""
    filler = f"case {number} of the valve schedule " * 8
    last = (
        ("consult Opus", f"A comma is missing in {filler}") if number % 10 == 0 else ("Thanks, go on.", "It is done.")
    )
    return f"Why does {filler}fail?", f"I do not know {filler}", *last


def said(number: int) -> Iterator[tuple[int, str, str, str]]:
    """Yield place, role, model and text of each turn of a conversation."""
    for place, ((role, model), text) in enumerate(zip(TURNS, words(number), strict=True)):
        yield place, role, model if number % 10 == 0 else LOCAL, text


def claude_code(folder: Path, lines: int) -> int:
    """Write sessions of 40 lines."""
    for session in range(lines // 40):
        written = []
        for number in range(10):
            for place, role, model, text in said(session * 10 + number):
                uuid = f"{number}-{place}"
                message = {"role": role, "content": [{"type": "text", "text": text}], "model": model, "id": uuid}
                parent = f"{number}-{place - 1}" if place else None
                written.append(
                    {"type": role, "uuid": uuid, "parentUuid": parent, "sessionId": f"s{session}", "timestamp": TIME}
                    | {"message": message}
                )
        write_lines(folder / f"{session}.jsonl", written)
    return lines


def codex(folder: Path, lines: int) -> int:
    """Write sessions of 61 lines: each turn of the model has a line of its own for the model's name."""
    sessions = lines // 61
    for session in range(sessions):
        written: list[dict] = [{"type": "session_meta", "timestamp": TIME, "payload": {"id": f"s{session}"}}]
        for number in range(10):
            for place, role, model, text in said(session * 10 + number):
                if place % 2 == 0:
                    written.append({"type": "turn_context", "timestamp": TIME, "payload": {"model": model}})
                content = [{"type": "output_text" if role == "assistant" else "input_text", "text": text}]
                payload = {"type": "message", "role": role, "content": content}
                written.append({"type": "response_item", "timestamp": TIME, "payload": payload})
        write_lines(folder / f"rollout-{session}.jsonl", written)
    return sessions * 61


def cline(folder: Path, lines: int) -> int:
    """Write tasks of 40 messages."""
    for task in range(lines // 40):
        (folder / str(task)).mkdir()
        history = [
            {
                "role": role,
                "content": [{"type": "text", "text": text}],
                "modelInfo": {"modelId": model},
                "ts": 1772359200000,
            }
            for number in range(10)
            for _, role, model, text in said(task * 10 + number)
        ]
        (folder / str(task) / "api_conversation_history.json").write_text(json.dumps(history))
    return lines


def opencode(folder: Path, lines: int) -> int:
    """Write sessions of 40 messages, one exported session in a line."""

    def session(name: int) -> dict:
        turns = [
            {
                "info": {
                    "id": f"{number}-{place}",
                    "role": role,
                    "modelID": model,
                    "time": {"created": 1, "completed": 1},
                },
                "parts": [{"type": "text", "text": text}],
            }
            for number in range(10)
            for place, role, model, text in said(name * 10 + number)
        ]
        return {"info": {"id": f"ses_{name}"}, "messages": turns}

    write_lines(folder / "sessions.jsonl", (session(name) for name in range(lines // 40)))
    return lines


def open_webui(folder: Path, lines: int) -> int:
    """Write chats of 4 messages."""

    def chat(name: int) -> dict:
        messages = {
            str(place): {
                **{"id": str(place), "parentId": str(place - 1) if place else None, "role": role, "content": text},
                **({"model": model} if role == "assistant" else {}),
                "timestamp": 1772359200,
            }
            for place, role, model, text in said(name)
        }
        return {"id": f"c{name}", "chat": {"history": {"messages": messages}}}

    write_list(folder / "chats.json", (chat(name) for name in range(lines // 4)))
    return lines


def chatgpt(folder: Path, lines: int) -> int:
    """Write conversations of 4 messages."""

    def conversation(name: int) -> dict:
        nodes = {
            str(place): {
                "parent": str(place - 1) if place else None,
                "message": {
                    **{"author": {"role": role}, "content": {"content_type": "text", "parts": [text]}},
                    **{"create_time": 1772359200.5, "metadata": {"model_slug": model}},
                },
            }
            for place, role, model, text in said(name)
        }
        return {"conversation_id": f"c{name}", "mapping": nodes}

    write_list(folder / "conversations.json", (conversation(name) for name in range(lines // 4)))
    return lines


def sharegpt(folder: Path, lines: int) -> int:
    """Write a conversation in each line."""
    speakers = {"user": "human", "assistant": "gpt"}
    write_lines(
        folder / "sharegpt.jsonl",
        (
            {"id": n, "conversations": [{"from": speakers[role], "value": text} for _, role, _, text in said(n)]}
            for n in range(lines)
        ),
    )
    return lines


def preferences(folder: Path, lines: int) -> int:
    """Write a prompt with two answers in each line."""

    def pair(number: int) -> dict:
        query, worse, _, better = words(number)
        return {
            "input": {"messages": [{"role": "user", "content": query}]},
            "preferred_output": [{"role": "assistant", "content": better if number % 10 == 0 else worse}],
            "non_preferred_output": [{"role": "assistant", "content": worse}],
        }

    write_lines(folder / "preferences.jsonl", map(pair, range(lines)))
    return lines


def litellm(folder: Path, lines: int) -> int:
    """Write requests to the local model and to the teacher, one in each line."""

    def request(line: int) -> dict:
        query, local, phrase, expert = words(line // 2)
        asked = [{"role": "user", "content": query}]
        model, answer = (LOCAL, local)
        if line % 2:
            asked += [{"role": "assistant", "content": local}, {"role": "user", "content": phrase}]
            model, answer = (OPUS if line % 20 == 1 else LOCAL, expert)
        choice = {"message": {"role": "assistant", "content": answer}, "finish_reason": "stop"}
        return {
            "messages": asked,
            "model": model,
            "endTime": TIME,
            "end_user": "ann",
            "response": {"choices": [choice]},
        }

    write_lines(folder / "litellm.jsonl", map(request, range(lines)))
    return lines


FORMATS: dict[str, Callable[[Path, int], int]] = {
    "Claude Code": claude_code,
    "Codex": codex,
    "Cline": cline,
    "opencode": opencode,
    "Open WebUI": open_webui,
    "ChatGPT": chatgpt,
    "ShareGPT": sharegpt,
    "preferences": preferences,
    "LiteLLM": litellm,
}


def main() -> None:
    """Measure and print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--lines", type=int, default=LINES, help="how many lines, or messages, each format has")
    parser.add_argument("formats", nargs="*", help=f"of {', '.join(FORMATS)}; all without any")
    given = parser.parse_args()
    shown = table("", "lines", "consultations", "CPU seconds", "lines a second", "peak", "peak of a tenth")
    for name in given.formats or FORMATS:
        small, whole = (measure(name, count) for count in (given.lines // 10, given.lines))
        if given.lines == LINES:
            keep(name, {**whole, "megabytes_of_a_tenth": small["megabytes"]})
        shown.add_row(
            *(name, f"{whole['lines']:,}", f"{whole['added']:,}", f"{whole['seconds']:.0f}"),
            *(
                f"{whole['lines'] / whole['seconds']:,.0f}",
                f"{whole['megabytes']:.0f} MB",
                f"{small['megabytes']:.0f} MB",
            ),
        )
        print(name, whole, file=sys.stderr, flush=True)
    out.print(shown)


def keep(name: str, measured: dict[str, float]) -> None:
    """Write down what was measured of a format, beside the others."""
    file = record.RESULTS / "import.json"
    known = json.loads(file.read_text())["figures"] if file.exists() else {}
    known[name] = measured
    figures = {one: known[one] for one in FORMATS if one in known}
    ratios = {
        f"{one}: peak of all / of a tenth": found["megabytes"] / found["megabytes_of_a_tenth"]
        for one, found in figures.items()
    }
    record.write("import", __doc__, ratios, figures)


def measure(name: str, lines: int) -> dict[str, float]:
    """Write a format and import it; return what was read, what it took, and the most memory in use."""
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place) / "export"
        folder.mkdir()
        written = FORMATS[name](folder, lines)
        command = [sys.executable, "-m", "weakspot", "collect", "--from", str(folder), "--yes", "--json"]
        with (Path(place) / "out").open("w+") as output:
            process = subprocess.Popen([*command, "-w", str(Path(place) / "workspace")], stdout=output)
            _, status, usage = os.wait4(process.pid, 0)
            output.seek(0)
            done = json.load(output)
        if status:
            raise SystemExit(f"{name}: status {status}")
    accounted = done["added"] + done["already_there"] + sum(done["left_out"].values()) + len(done["bad"])
    if done["read"] != accounted:
        raise SystemExit(f"{name}: {done['read']} read, {accounted} accounted for")
    return {
        "lines": written,
        "added": done["added"],
        "seconds": usage.ru_utime + usage.ru_stime,
        "megabytes": usage.ru_maxrss / 1024,
    }


def write_lines(file: Path, values: Iterator[dict] | list[dict] | map) -> None:
    """Write objects as lines."""
    with file.open("w") as stream:
        for value in values:
            stream.write(json.dumps(value) + "\n")


def write_list(file: Path, values: Iterator[dict]) -> None:
    """Write objects as one list."""
    with file.open("w") as stream:
        for number, value in enumerate(values):
            stream.write(("," if number else "[") + json.dumps(value))
        stream.write("]")


if __name__ == "__main__":
    main()
