"""An import adds each interaction once, from our own formats and from what other programs store."""

import json
import os
import shutil
import sqlite3

import pytest

from weakspot.capture.decisions import decide, load_decisions
from weakspot.capture.recorder import iter_interactions
from weakspot.config import Config, load
from weakspot.importers.importer import examine, import_file, import_interactions
from weakspot.pipeline.process import process
from weakspot.records.parsing import parse_interaction_object as parsed
from weakspot.storage import append_log, atomic
from zddc.errors import UserError

SOAK = bool(os.environ.get("WEAKSPOT_SOAK"))

TEXTS = {"query": "Why this error in the console?", "local": "No idea.", "expert": "The name is not defined."}


def lines(workspace) -> list[bytes]:
    return [line.data for line in append_log.read_lines(workspace.raw)]


def kept(workspace) -> list:
    """Return the records of the raw file, incomplete ones as well."""
    return [parsed(json.loads(line), whole=False) for line in lines(workspace)]


@pytest.fixture
def source(tmp_path):
    """Write a file to import: records as objects, or lines as bytes."""

    def write(*entries: object, end: bytes = b"\n", start: bytes = b""):
        file = tmp_path / "import.jsonl"
        data = [entry if isinstance(entry, bytes) else json.dumps(entry).encode() for entry in entries]
        file.write_bytes(start + end.join(data) + end)
        return file

    return write


def test_a_file_in_the_raw_format_is_imported_as_it_is_but_for_its_source(workspace, config, source, interaction):
    records = [
        interaction("one", source="elsewhere"),
        interaction("two", source="cli", teacher={"name": "S"}, domain="spam", file_sha256="said"),
        interaction("three", policy="refuse"),
    ]
    file = source(*(json.loads(one.to_json()) for one in records))
    done = import_file(workspace, config, file)
    assert (done.added, done.already_there, done.bad) == (3, 0, [])
    known = {"source": "import:raw", "file_sha256": atomic.sha256(file)}
    said = [{"source_before": "elsewhere"}, {"source_before": "cli"}, {}]
    expected = [one.with_metadata({**known, **before}) for one, before in zip(records, said, strict=True)]
    assert list(iter_interactions(workspace)) == expected


@pytest.mark.parametrize(
    ("teacher", "model", "of_file", "of_settings", "counts"),
    [
        ("opus", "m", "allow", "ask", "ask"),
        ("opus", "m", "allow", "refuse", "refuse"),
        ("opus", "m", "ask", "allow", "ask"),
        ("opus", "m", "refuse", "allow", "refuse"),
        ("OPUS", "m", "allow", "ask", "ask"),
        ("somebody", "claude-opus-5-5-20261101", "allow", "refuse", "refuse"),
        ("somebody", "else", "allow", "refuse", "allow"),
        ("sonnet", "claude-opus-5-5", "allow", "refuse", "refuse"),
    ],
)
def test_of_two_policies_the_stricter_counts(
    workspace, source, interaction, teacher, model, of_file, of_settings, counts
):
    config = load(workspace.config_file, [f"teachers.opus.policy={of_settings}", "teachers.sonnet.policy=allow"])
    consultation = {"teacher": teacher, "model": model, "policy": of_file, "terms": "theirs"}
    import_file(workspace, config, source(json.loads(interaction(consultation=consultation).to_json())))
    (found,) = iter_interactions(workspace)
    assert found.policy == counts
    assert found.metadata.consultation.terms == ("theirs" if counts == of_file else config.teachers["opus"].terms)


def test_an_import_is_skipped_the_second_time(workspace, config, source, interaction):
    file = source(*(json.loads(interaction(text).to_json()) for text in ("one", "two")), TEXTS)
    import_file(workspace, config, file)
    before = workspace.raw.read_bytes()
    done = import_file(workspace, config, file)
    assert (done.added, done.already_there, done.bad) == (0, 3, [])
    assert workspace.raw.read_bytes() == before


def test_what_is_twice_in_a_file_is_imported_once(workspace, config, source):
    done = import_file(workspace, config, source(TEXTS, TEXTS, {**TEXTS, "query": TEXTS["query"] + " "}))
    assert (done.added, done.already_there) == (1, 2)


def test_query_local_and_expert_are_enough(workspace, config, source):
    import_file(workspace, config, source(TEXTS, {**TEXTS, "query": "q", "domain": "cooking"}))
    first, second = iter_interactions(workspace)
    assert first.metadata.domain is None
    assert second.domain == "cooking"
    assert [turn.role for turn in first.messages] == ["user", "assistant", "user", "assistant"]
    assert first.metadata.source == "import:texts"
    assert first.messages[2].text == config.collect.escalation


def test_a_record_without_metadata_gets_an_id_and_a_timestamp(workspace, config, source, interaction):
    done = import_file(workspace, config, source({"messages": json.loads(interaction().to_json())["messages"]}))
    assert done.added == 1
    (found,) = iter_interactions(workspace)
    assert found.id.startswith("int_")


def test_more_than_a_thousand_lines_are_imported(workspace, config, source):
    done = import_file(workspace, config, source(*({**TEXTS, "query": f"q{n}"} for n in range(1001))))
    assert (done.added, len(lines(workspace))) == (1001, 1001)


@pytest.mark.parametrize(("start", "end"), [(b"\xef\xbb\xbf", b"\n"), (b"", b"\r\n"), (b"\n\n", b"\n\n")])
def test_a_byte_order_mark_crlf_and_blank_lines_are_no_mistake(workspace, config, source, start, end):
    done = import_file(workspace, config, source(TEXTS, {**TEXTS, "query": "q"}, start=start, end=end))
    assert (done.added, done.bad) == (2, [])
    assert b"\r" not in workspace.raw.read_bytes()


FLAT_ERROR = "neither the raw format nor query, local, expert[, domain]"


@pytest.mark.parametrize(
    ("entry", "reason", "detail"),
    [
        (b'{"query": "half a li', "not-json", "Unterminated string"),
        (b"\0\0\0", "not-json", "Expecting value"),
        (b"\xff", "not-json", "not UTF-8 at byte 0"),
        (rb'{"query": "\ud800", "local": "", "expert": ""}', "not-json", "a lone surrogate"),
        (b'{"query": NaN}', "not-json", "NaN is not JSON"),
        (b"[" * 100_000, "not-json", "nested too deeply"),
        (b"[]", "not-json", "a JSON list, not an object"),
        ({}, "bad-schema", f"no expert, local, query: {FLAT_ERROR}"),
        ({"query": "q", "local": "l"}, "bad-schema", f"no expert: {FLAT_ERROR}"),
        ({**TEXTS, "answer": "a"}, "bad-schema", f"unknown answer: {FLAT_ERROR}"),
        ({**TEXTS, "expert": 7}, "bad-schema", "query, local and expert must be texts"),
        ({**TEXTS, "domain": "../../x"}, "bad-schema", "metadata.domain: '../../x' is not a domain name"),
        ({**TEXTS, "domain": 7}, "bad-schema", "metadata.domain: "),
        ({**TEXTS, "expert": " "}, "empty-expert", "the expert's answer has no text"),
        ({**TEXTS, "query": ""}, "empty-query", "the query has no text"),
        ({"messages": [], "metadata": []}, "bad-schema", "metadata: not an object"),
        (
            {"messages": [{"role": "user", "content": "q"}] * 4},
            "wrong-roles",
            "the last four turns are user, user",
        ),
        ({**TEXTS, "expert": "x" * 100_000}, "too-large", "100,4"),
    ],
)
def test_a_bad_line_has_its_number_and_reason_and_stops_nothing(workspace, source, entry, reason, detail):
    config = Config(collect={"max_record_bytes": 100_000})
    done = import_file(workspace, config, source(TEXTS, b"", entry, {**TEXTS, "query": "after"}))
    assert [(bad.line, bad.reason) for bad in done.bad] == [(3, reason)]
    assert done.bad[0].detail.startswith(detail)
    assert done.added == len(list(iter_interactions(workspace))) == 2


def test_an_id_that_is_there_with_other_messages_is_a_bad_line(workspace, config, source, interaction):
    one = interaction("one", interaction_id="int_1")
    other = interaction("two", interaction_id="int_1")
    done = import_file(workspace, config, source(*(json.loads(record.to_json()) for record in (one, other))))
    assert [(bad.line, bad.reason, bad.detail) for bad in done.bad] == [
        (2, "duplicate-id", "int_1 is there already with other messages")
    ]


def test_a_file_that_is_not_there_is_a_users_mistake(workspace, config, tmp_path):
    with pytest.raises(UserError, match=r"none.jsonl: no such file; give a file or a folder"):
        import_file(workspace, config, tmp_path / "none.jsonl")


def test_an_answer_that_is_marked_as_incomplete_is_taken_once(workspace, config, source, interaction):
    one = json.loads(interaction().to_json())
    file = source({**one, "metadata": {**one["metadata"], "incomplete": True}})
    assert [import_file(workspace, config, file).added for _ in range(2)] == [1, 0]
    assert kept(workspace)[0].metadata.incomplete


def test_real_interactions_are_imported_as_they_are_but_for_addresses(workspace, real_interactions, tmp_path):
    """Every fifth of them, the one with addresses among them; tests/test_pipeline.py imports all."""
    file = tmp_path / "real.jsonl"
    given = real_interactions.read_bytes().splitlines(keepends=True)
    (leaky,) = (number for number, line in enumerate(given) if b"int_1766448000000_c4a8a82b" in line)
    chosen = given if SOAK else given[leaky % 5 :: 5]
    file.write_bytes(b"".join(chosen))
    done = import_file(workspace, Config(), file)
    assert (done.added, done.already_there, done.bad) == (len(chosen), 0, [])
    assert len(given) == 605
    before = [json.loads(line) for line in chosen]
    after = [json.loads(line) for line in lines(workspace)]
    sha256 = atomic.sha256(file)
    for one in after:  # where it came in is noted beside what the file says of it
        metadata = one["metadata"]
        assert metadata.pop("file_sha256") == sha256
        assert metadata["source"] == "import:raw"
        metadata["source"] = metadata.pop("source_before")
    (changed,) = (n for n, (one, other) in enumerate(zip(before, after, strict=True)) if one != other)
    assert before[changed]["metadata"]["interaction_id"] == "int_1766448000000_c4a8a82b"
    assert after[changed]["metadata"]["scrubbed"] == {"e-mail": 3}


SECRET = "AKIAIOSFODNN7EXAMPLQ"


def test_secrets_are_replaced_and_what_has_none_is_untouched(workspace, config, source, interaction):
    clean = interaction("a  b\n", source="elsewhere")
    leaky = interaction(f"My key is aws_access_key_id = {SECRET}, why?", interaction_id="int_leaky")
    file = source(*(json.loads(one.to_json()) for one in (clean, leaky)))
    import_file(workspace, config, file)
    first, second = lines(workspace)
    entered = {"source": "import:raw", "source_before": "elsewhere", "file_sha256": atomic.sha256(file)}
    assert first == clean.with_metadata(entered).to_json().encode()
    assert SECRET.encode() not in second
    assert sum(json.loads(second)["metadata"]["scrubbed"].values()) == 1


def test_what_a_person_had_forgotten_does_not_come_back(workspace, config, source, interaction):
    by_id, by_content, other = (interaction(text) for text in ("one", "two", "three"))
    decide(workspace, config, [(by_id.id, "forget", None), ("int_else", "forget", by_content.content_key())])
    done = import_file(workspace, config, source(*(json.loads(one.to_json()) for one in (by_id, by_content, other))))
    assert (done.added, done.already_there, done.bad) == (1, 2, [])
    assert [one.id for one in iter_interactions(workspace)] == [other.id]


# What other programs store


@pytest.fixture
def sessions(tmp_path, recorded):
    """A folder with the recorded sessions of Claude Code: three, each with one consultation."""
    folder = tmp_path / "projects" / "-home-someone-project"
    folder.mkdir(parents=True)
    for file in recorded.glob("claude-code-*.jsonl"):
        shutil.copy(file, folder)
    return folder


def test_examining_shows_the_consultations_and_imports_nothing(workspace, config, sessions):
    found = examine(workspace, config, sessions)
    assert (found.formats, found.conversations, found.foreign) == ({"Claude Code session": 3}, 3, True)
    assert [(one.query, one.local_model, one.teacher, one.turns) for one in found.found] == [
        ("and what is next?", "qwen3-coder", "opus", 6),
        ("What do the files note and other say together?", "qwen3-coder", "opus", 7),
        ("What does the note tell us here?", "qwen3-coder", "opus", 7),
    ]
    assert not workspace.raw.exists()


def test_what_was_found_is_imported_once(workspace, config, sessions):
    done = import_interactions(workspace, config, examine(workspace, config, sessions))
    assert (done.added, done.already_there, done.bad) == (3, 0, [])
    assert {one.metadata.source for one in iter_interactions(workspace)} == {"import:claude-code"}
    assert len({one.id for one in iter_interactions(workspace)}) == 3
    again = examine(workspace, config, sessions)
    assert (again.found, again.already_there) == ([], 3)
    assert import_interactions(workspace, config, again).added == 0


def test_a_source_that_grew_gives_only_what_is_new(workspace, config, sessions):
    import_file(workspace, config, sessions)
    last = "0127bb18"
    file = sessions / "claude-code-command.jsonl"
    leaf = next(
        line["uuid"] for line in map(json.loads, file.read_text().splitlines()) if line.get("uuid", "").startswith(last)
    )
    turns = [("user", "And why is that so?", None), ("assistant", "No idea.", "qwen3-coder")]
    turns += [("user", "consult opus", None), ("assistant", "Because.", "claude-opus-5-5")]
    with file.open("a") as stream:
        for number, (role, text, model) in enumerate(turns):
            message = {"role": role, "content": text, **({"model": model} if model else {})}
            stream.write(
                json.dumps(
                    {"type": role, "uuid": f"u{number}", "parentUuid": leaf, "sessionId": "s", "message": message}
                )
                + "\n"
            )
            leaf = f"u{number}"
    done = import_file(workspace, config, sessions)
    assert (done.added, done.already_there) == (1, 3)
    assert kept(workspace)[-1].query.content == "And why is that so?"
    assert len(kept(workspace)[-1].context) == 6


def test_a_session_that_was_copied_is_there_already(workspace, config, sessions):
    copied = (sessions / "claude-code-resent.jsonl").read_text().replace("b8a967c4", "c8a967c4")
    (sessions / "resumed.jsonl").write_text(copied)
    found = examine(workspace, config, sessions)
    assert (len(found.found), found.already_there) == (3, 1)
    assert import_interactions(workspace, config, found).added == 3


def test_what_came_in_since_it_was_shown_is_left_for_another_time(workspace, config, sessions):
    late = sessions / "claude-code-resent.jsonl"
    text = late.read_text()
    late.write_text(text.splitlines(keepends=True)[2])
    found = examine(workspace, config, sessions)
    late.write_text(text)
    assert import_interactions(workspace, config, found).added == len(found.found) == 2


def test_forgotten_and_secret_things_are_kept_out_of_what_is_found_as_well(workspace, config, sessions):
    file = sessions / "claude-code-resent.jsonl"
    file.write_text(file.read_text().replace("the note says hello", f"aws_access_key_id = {SECRET}"))
    first, *_ = examine(workspace, config, sessions).found
    decide(workspace, config, [(first.interaction_id, "forget", None)])
    done = import_file(workspace, config, sessions)
    assert (done.added, done.already_there) == (2, 1)
    assert SECRET.encode() not in workspace.raw.read_bytes()
    assert kept(workspace)[-1].metadata.scrubbed


def test_a_cut_answer_is_imported_and_never_trained_on(workspace, config, sessions):
    file = sessions / "claude-code-resent.jsonl"
    lines_ = file.read_text().splitlines()
    end = next(n for n in range(len(lines_) - 1, 0, -1) if '"type": "text"' in lines_[n])
    lines_[end] = lines_[end].replace('"stop_reason": "end_turn"', '"stop_reason": "max_tokens"')
    file.write_text("\n".join(lines_) + "\n")
    assert [one.incomplete for one in examine(workspace, config, file).found] == [True]
    assert [import_file(workspace, config, file).added for _ in range(2)] == [1, 0]
    assert process(workspace, config).rejections == {"truncated": 1}


def test_no_consultation_is_nothing_to_import(workspace, config, source):
    chat = [{"role": "user", "content": "Hello there, model."}, {"role": "assistant", "content": "Hello."}]
    found = examine(workspace, config, source({"messages": chat * 2, "model": "qwen"}))
    assert (found.conversations, found.found, found.foreign) == (1, [], True)
    done = import_interactions(workspace, config, found)
    assert (done.added, done.bad) == (0, [])
    assert not workspace.raw.exists()


def test_what_was_never_answered_is_counted(workspace, config, source):
    asked = [
        {"role": role, "content": text} for role, text in (("user", "q"), ("assistant", "l"), ("user", "ask opus"))
    ]
    assert examine(workspace, config, source({"request": {"messages": asked}})).left_out == {"empty-expert": 1}


def test_a_record_that_is_too_large_is_bad_and_stops_nothing(workspace, sessions):
    small = Config(collect={"max_record_bytes": 1200})
    done = import_file(workspace, small, sessions)
    assert (done.added, len(done.bad)) == (1, 2)
    assert {bad.reason for bad in done.bad} == {"too-large"}
    assert all(bad.file.startswith(str(sessions)) for bad in done.bad)


def test_a_folder_may_hold_many_things(workspace, config, sessions, source):
    folder = sessions.parent
    shutil.move(source(TEXTS, b"{"), folder / "ours.jsonl")
    (folder / "broken.db").write_bytes(b"SQLite format 3\0" + b"x" * 5000)
    (folder / "notes.json").write_text('{"a": 1}')
    (folder / "readme.md").write_text("no candidate")
    found = examine(workspace, config, folder)
    assert found.formats == {"Claude Code session": 3, "query/local/expert file": 1}
    assert found.not_understood == [folder / "broken.db", folder / "notes.json"]
    done = import_interactions(workspace, config, found)
    assert done.added == 4
    assert [(bad.file, bad.line, bad.reason) for bad in done.bad] == [(str(folder / "ours.jsonl"), 2, "not-json")]


def test_a_database_that_is_damaged_in_its_middle_is_one_bad_file(workspace, config, opencode_database, sessions):
    file = shutil.copy(opencode_database, sessions / "opencode.db")
    with file.open("r+b") as stream:
        stream.seek(3 * 4096)
        stream.write(b"x" * (file.stat().st_size - 3 * 4096))
    done = import_file(workspace, config, sessions)
    assert done.added == 3
    assert [(bad.file, bad.reason) for bad in done.bad] == [(str(file), "not-readable")]


def test_a_database_is_imported_while_its_program_writes(workspace, config, opencode_database):
    writer = sqlite3.connect(opencode_database, isolation_level=None)
    writer.execute("BEGIN IMMEDIATE")
    writer.execute("DELETE FROM message")
    assert import_file(workspace, config, opencode_database).added == 4
    writer.execute("ROLLBACK")
    writer.close()
    assert import_file(workspace, config, opencode_database).added == 0
    assert [bool(one.metadata.incomplete) for one in kept(workspace)] == [False, False, True, False]


def test_all_that_was_read_is_added_there_or_left_out_with_a_reason(workspace, config, source):
    def entry(question: str, model: str, **more) -> dict:
        return {
            "messages": [{"role": "user", "content": question}],
            "model": model,
            "response": f"{model} {question}",
            **more,
        }

    pairs = [entry(f"Why is {n} no prime number?", model) for n in range(3) for model in ("qwen", "claude-opus-5-5")]
    unpaired = [entry("Why is 11 a prime number?", "qwen"), {"call_type": "acompletion"}, {"input": "x"}]
    redacted = [entry("redacted-by-litellm", model) for model in ("qwen", "claude-opus-5-5")]
    found = examine(workspace, config, source(*pairs, *unpaired, *redacted, b'{"messages": ['))
    assert found.left_out == {"no-consultation": 1, "texts-not-logged": 1, "no-chat": 1, "redacted": 1}
    assert (len(found.found), found.already_there, len(found.bad), found.total) == (3, 0, 1, 8)
    done = import_interactions(workspace, config, found)
    again = examine(workspace, config, source(*pairs, *unpaired))
    assert (done.added, again.already_there, again.total) == (3, 3, 6)


def test_thumbs_are_stored_as_decisions_and_a_later_one_as_well(workspace, config, source):
    def chat(rating: int) -> dict:
        stored = {
            "q": {"id": "q", "role": "user", "content": "Why is the sky blue?", "parentId": None},
            "a": {"id": "a", "role": "assistant", "content": "The sea.", "parentId": "q", "model": "qwen"},
            "b": {
                **{"id": "b", "role": "assistant", "content": "Rayleigh.", "parentId": "q", "model": "claude-opus-5-5"},
                "annotation": {"rating": rating, "reason": "too short, ann.lee@gmail.com"},
            },
        }
        return {"id": "c", "chat": {"history": {"messages": stored}}}

    done = import_file(workspace, config, source(chat(1)))
    (record,) = kept(workspace)
    assert (done.added, done.ratings) == (1, 1)
    thumb = load_decisions(workspace).thumbs[record.id]
    assert thumb.action == "thumbs-up"
    assert "ann.lee@gmail.com" not in thumb.comment
    assert import_file(workspace, config, source(chat(1))).ratings == 0
    done = import_file(workspace, config, source(chat(-1)))
    assert (done.added, done.already_there, done.ratings) == (0, 1, 1)
    assert load_decisions(workspace).thumbs[record.id].action == "thumbs-down"
