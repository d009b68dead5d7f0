"""Every raw line becomes an example or a rejection with a reason; batches, order and place change nothing."""

import json
import os
import subprocess
import sys
from collections import Counter, defaultdict
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from weakspot.config import load
from weakspot.dataset.assignments import read_assignments
from weakspot.dataset.near_duplicates import pairs_across
from weakspot.dataset.splits import SHARES, exact_keys, similarity_text
from weakspot.pipeline.process import process
from weakspot.records import SPLITS, Assignment, Interaction, Rejection, Snapshot
from weakspot.records.parsing import parse_interaction
from weakspot.storage import append_log, atomic
from weakspot.workspace import Workspace
from zddc.errors import UserError

SOAK = bool(os.environ.get("WEAKSPOT_SOAK"))


def examples(file: Path) -> list[Interaction]:
    return [parse_interaction(line.data) for line in append_log.read_lines(file)]


def rejections(workspace: Workspace) -> list[Rejection]:
    return [Rejection.from_json(line.data) for line in append_log.read_lines(workspace.rejections)]


def dataset_files(workspace: Workspace) -> dict[str, bytes]:
    """Return the bytes of processed/ and validation/ by relative path."""
    folders = (workspace.processed, workspace.validation)
    return {
        str(file.relative_to(workspace.root)): file.read_bytes()
        for folder in folders
        for file in sorted(folder.rglob("*"))
    }


def newest_snapshot(workspace: Workspace) -> dict[str, bytes]:
    """Return the bytes of the newest snapshot by relative path."""
    folder = workspace.snapshot(workspace.snapshot_names()[-1])
    return {str(file.relative_to(folder)): file.read_bytes() for file in folder.rglob("*") if file.is_file()}


def everything(workspace: Workspace) -> dict[Path, tuple[bytes, int]]:
    """Return content and time of change of all that is in the workspace."""
    return {
        path: (path.read_bytes() if path.is_file() else b"", path.stat().st_mtime_ns)
        for path in sorted(workspace.root.rglob("*"))
    }


def write_raw(workspace: Workspace, *lines: bytes | str | dict | Interaction) -> None:
    """Write raw lines as they are, good or bad."""
    workspace.raw.parent.mkdir(parents=True, exist_ok=True)
    with workspace.raw.open("ab") as stream:
        for line in lines:
            if isinstance(line, Interaction):
                line = line.to_json()  # noqa: PLW2901
            elif isinstance(line, dict):
                line = json.dumps(line)  # noqa: PLW2901
            stream.write((line if isinstance(line, bytes) else line.encode()) + b"\n")


def assert_counts_reconcile(workspace: Workspace) -> None:
    """Every raw line is one example or one rejection; every example is in one split and its domain's file."""
    raw = [line.number for line in append_log.read_lines(workspace.raw)]
    everyone = examples(workspace.all_examples)
    assert len(raw) == len(everyone) + len(rejections(workspace))
    assert {rejection.line for rejection in rejections(workspace)} <= set(raw)
    by_id = {example.id: example for example in everyone}
    assert len(by_id) == len(everyone)
    split = [example for name in SPLITS for example in examples(workspace.split(name))]
    domains = [
        example
        for name, file in workspace.example_files().items()
        if name != "multi-domain"
        for example in examples(file)
    ]
    for found in (split, domains, examples(workspace.multi_domain)):
        assert len(found) == len(everyone)
        assert {example.id: example for example in found} == by_id


def assert_nothing_leaks(workspace: Workspace, threshold: float = 0.8) -> None:
    """No pair at or above the threshold, and no conversation or question, is in two splits."""
    found = {split: examples(workspace.split(split)) for split in SPLITS}
    for left, right in (("train", "val"), ("train", "test"), ("val", "test")):
        texts = [[similarity_text(example) for example in found[split]] for split in (left, right)]
        assert list(pairs_across(*texts, threshold)) == []
        keys = [{key for example in found[split] for key in exact_keys(example)} for split in (left, right)]
        assert keys[0].isdisjoint(keys[1])


@pytest.fixture
def filled(workspace, example, capture) -> Workspace:
    """A workspace of 40 raw interactions in two domains."""
    capture(workspace, [example(n, domain="spam" if n % 2 else "eggs") for n in range(40)])
    return workspace


# What comes out.


def test_examples_are_written_by_capture_by_domain_and_by_split(filled, config):
    done = process(filled, config)
    everyone = examples(filled.all_examples)
    assert [one.query for one in everyone] == [one.query for one in examples(filled.raw)]
    assert [one.domain for one in examples(filled.multi_domain)] == ["eggs"] * 20 + ["spam"] * 20
    assert examples(filled.examples("spam")) == [one for one in everyone if one.domain == "spam"]
    assert (done.raw_lines, done.examples, done.rejections) == (40, 40, {})
    assert done.domains == {name: {"train": 16, "val": 2, "test": 2} for name in ("eggs", "spam")}
    assert_counts_reconcile(filled)


def test_the_assignments_name_group_split_and_domain_of_every_example(filled, config):
    process(filled, config)
    places = read_assignments(filled.assignments)
    assert [(place.group, place.domain) for place in places.values()] == [
        (one.id, one.domain) for one in examples(filled.all_examples)
    ]
    for split in SPLITS:
        assert {one.id for one in examples(filled.split(split))} == {
            name for name, place in places.items() if place.split == split
        }


def test_the_domain_is_the_one_given_else_the_one_that_the_words_tell(workspace, config, interaction):
    write_raw(
        workspace,
        interaction("Why this error?", domain="cooking"),
        interaction("Why this error in the console?", "It is not defined."),
        interaction("Where does the cat sleep?", "On the mat."),
    )
    process(workspace, config)
    assert [one.domain for one in examples(workspace.all_examples)] == [
        "cooking",
        "coding-debugging",
        "general-coding",
    ]


def test_what_is_given_and_unknown_is_kept(workspace, config, interaction):
    write_raw(workspace, interaction(teacher={"name": "S"}, note="é 平"))
    process(workspace, config)
    (found,) = examples(workspace.all_examples)
    assert found.metadata.model_extra == {"teacher": {"name": "S"}, "note": "é 平"}


def test_domains_come_in_the_order_of_the_table_then_by_name(workspace, config, example):
    names = ["zoo", "general-coding", "coding-debugging", "art", "zddc-naming"]
    write_raw(workspace, *(example(n, domain=name) for n, name in enumerate(names)))
    ordered = ["zddc-naming", "coding-debugging", "general-coding", "art", "zoo"]
    assert list(process(workspace, config).domains) == ordered
    assert [one.domain for one in examples(workspace.multi_domain)] == ordered


def test_without_a_raw_file_the_next_step_is_named(workspace, config):
    with pytest.raises(UserError, match=r"interactions.jsonl: no interactions yet; capture some with 'weakspot coll"):
        process(workspace, config)


def test_an_empty_raw_file_is_an_empty_dataset(workspace, config):
    write_raw(workspace)
    done = process(workspace, config)
    assert (done.examples, done.domains) == (0, {})
    assert_counts_reconcile(workspace)


# What is left out, and why.


def good(number: int, **metadata) -> dict:
    turns = [
        ("user", f"q{number}"),
        ("assistant", "l"),
        ("user", "consult Sonnet"),
        ("assistant", f"e{number}"),
    ]
    return {
        "messages": [{"role": role, "content": text} for role, text in turns],
        "metadata": {"timestamp": "2025-10-31T14:30:00Z", "interaction_id": f"int_{number}", **metadata},
    }


def changed(position: int, **turn) -> dict:
    value = good(2)
    value["messages"][position] |= turn
    return value


BAD_LINES = {
    "half a line": (b'{"messages": [{"role": "us', "not-json"),
    "NUL": (b"\0" * 50, "not-json"),
    "not UTF-8": (b'{"a": "\xff"}', "not-json"),
    "a lone surrogate": (json.dumps(changed(0, content="\ud800")), "not-json"),
    "a surrogate inside a call": (
        json.dumps(changed(1, tool_calls=[{"function": {"name": "f", "arguments": '{"a": "\\ud800"}'}}])),
        "bad-schema",
    ),
    "NaN": (json.dumps(good(2, x=float("nan"))), "not-json"),
    "infinity": (json.dumps(good(2, x="@")).replace('"@"', "1e999"), "not-json"),
    "nested too deeply": (b'{"a":' * 50_000 + b"1" + b"}" * 50_000, "not-json"),
    "a list": (b"[]", "not-json"),
    "ten megabytes": (json.dumps(changed(3, content="x" * 10_000_000)), "too-large"),
    "no messages": ({"metadata": good(2)["metadata"]}, "bad-schema"),
    "three turns": ({**good(2), "messages": good(2)["messages"][1:]}, "bad-schema"),
    "another key": ({**good(2), "more": 1}, "bad-schema"),
    "a role that is none": (changed(0, role="human"), "bad-schema"),
    "content of parts": (changed(0, content=[{"type": "text", "text": "q"}]), "bad-schema"),
    "a path as domain": (good(2, domain="../../../tmp/x"), "bad-schema"),
    "an absolute path as domain": (good(2, domain="/etc/passwd"), "bad-schema"),
    "a reserved domain": (good(2, domain="all"), "bad-schema"),
    "no time zone": (good(2, timestamp="2025-10-31T14:30:00"), "bad-schema"),
    "no id": (good(2, interaction_id=""), "bad-schema"),
    "wrong roles": (changed(2, role="assistant"), "wrong-roles"),
    "no query": (changed(0, content="  "), "empty-query"),
    "no answer": (changed(3, content=None), "empty-expert"),
    "marked incomplete": (good(2, incomplete=True), "truncated"),
    "an id of other messages": (good(2, interaction_id="int_1"), "duplicate-id"),
    "the same again": (good(1, interaction_id="int_2"), "exact-duplicate"),
    "the same in other white space": (
        {
            **good(1),
            "messages": [{**turn, "content": f" {turn['content']}\n"} for turn in good(1)["messages"]],
        },
        "exact-duplicate",
    ),
}


@pytest.mark.parametrize(("line", "reason"), BAD_LINES.values(), ids=BAD_LINES)
def test_a_line_that_cannot_be_used_has_its_number_and_reason_and_stops_nothing(workspace, config, line, reason):
    write_raw(workspace, good(1), b"", line, good(3))
    done = process(workspace, config)
    assert [(left.line, left.reason) for left in rejections(workspace)] == [(3, reason)]
    assert "\n" not in rejections(workspace)[0].detail
    assert done.rejections == {reason: 1}
    assert [one.id for one in examples(workspace.all_examples)] == ["int_1", "int_3"]
    assert_counts_reconcile(workspace)
    assert {path.name for path in workspace.root.iterdir()} == {
        ".lock",
        "raw",
        "processed",
        "validation",
        "snapshots",
    }


def test_all_of_them_together_are_counted_by_reason(workspace, config):
    write_raw(workspace, good(1), *(line for line, _ in BAD_LINES.values()))
    done = process(workspace, config)
    assert done.rejections == Counter(reason for _, reason in BAD_LINES.values())
    assert_counts_reconcile(workspace)


def test_a_rejection_names_what_it_is_about(workspace, config):
    write_raw(workspace, good(1), good(1, interaction_id="int_2"), {**good(3), **good(4, interaction_id="int_1")})
    process(workspace, config)
    assert [(left.interaction_id, left.detail) for left in rejections(workspace)] == [
        ("int_2", "the same messages as int_1"),
        ("int_1", "int_1 has other messages in line 1"),
    ]


@pytest.mark.parametrize(("start", "end"), [(b"\xef\xbb\xbf", b"\n"), (b"", b"\r\n"), (b"", b"\n\n \n"), (b"", b"\n")])
def test_a_byte_order_mark_crlf_and_blank_lines_are_no_mistake(workspace, config, start, end):
    workspace.raw.parent.mkdir(parents=True)
    workspace.raw.write_bytes(start + end.join(json.dumps(good(n)).encode() for n in range(3)))
    done = process(workspace, config)
    assert (done.examples, done.rejections) == (3, {})


def test_an_example_that_links_two_splits_is_left_out_with_that_reason(workspace, config, example, capture):
    capture(workspace, [example(n, conversation_id=f"c{n}") for n in range(20)])
    process(workspace, config)
    places = list(read_assignments(workspace.assignments).values())
    train, test = (next(n for n, place in enumerate(places) if place.split == name) for name in ("train", "test"))
    link = example(train, "now", conversation_id=f"c{test}")
    capture(workspace, [link, example(train, "please"), example(test, "please")])
    assert process(workspace, config).rejections == {"links-splits": 1}
    (left,) = rejections(workspace)
    assert (left.line, left.reason, left.interaction_id) == (21, "links-splits", link.id)
    names = (places[train].interaction_id, places[test].interaction_id)
    assert left.detail == "too like {} (train) and {} (test), which are in different splits".format(*names)
    after = list(read_assignments(workspace.assignments).values())
    assert [place.split for place in after[20:]] == ["train", "test"], "those after it go where they belong"
    assert_counts_reconcile(workspace)
    assert_nothing_leaks(workspace)


# Growing.


def assert_batches_equal_one(new_workspace, config, batches: list[list[Interaction]], capture) -> Workspace:
    """Process after each batch, and all at once elsewhere: no group moves, and the bytes are the same."""
    growing, whole = new_workspace(), new_workspace()
    places: dict[str, Assignment] = {}
    for batch in batches:
        capture(growing, batch)
        capture(whole, batch)
        process(growing, config)
        now = read_assignments(growing.assignments)
        assert {name: now[name] for name in places} == places
        places = now
        splits = defaultdict(set)
        for place in now.values():
            splits[place.group].add(place.split)
        assert all(len(found) == 1 for found in splits.values())
        assert_counts_reconcile(growing)
    assert_nothing_leaks(growing)  # and never did: no example has moved since it came
    process(whole, config)
    assert dataset_files(growing) == dataset_files(whole)
    assert newest_snapshot(growing) == newest_snapshot(whole)
    return growing


drawn = st.tuples(
    st.integers(0, 14),  # what it is about: the same number is a near-duplicate
    st.sampled_from(["", "please", "thanks", "now"]),
    st.sampled_from(["spam", "eggs"]),
    st.sampled_from([None, None, None, "c1", "c2"]),
)


@settings(max_examples=10 if SOAK else 4)
@given(st.lists(st.lists(drawn, max_size=6), min_size=10, max_size=10))
def test_ten_batches_with_process_between_end_as_one_batch(new_workspace, config, example, capture, drawn_batches):
    batches = [
        [
            example(number, note, domain=domain, **({"conversation_id": conversation} if conversation else {}))
            for number, note, domain, conversation in batch
        ]
        for batch in drawn_batches
    ]
    capture_first = [example(99)]  # the raw file is there from the first batch on
    assert_batches_equal_one(new_workspace, config, [capture_first, *batches], capture)


@settings(max_examples=15 if SOAK else 6)
@given(counts=st.lists(st.integers(10, 45), min_size=1, max_size=3), chance=st.randoms(use_true_random=False))
def test_every_domain_with_ten_groups_is_within_one_group_of_its_shares(
    new_workspace, config, example, capture, counts, chance
):
    workspace = new_workspace()
    records = [
        example(100 * domain + n, f"v{copy}", domain=f"d{domain}")
        for domain, count in enumerate(counts)
        for n in range(count)
        for copy in range(chance.choice([1, 1, 1, 2, 5]))
    ]
    chance.shuffle(records)
    capture(workspace, records)
    process(workspace, config)
    groups = defaultdict(set)
    for place in read_assignments(workspace.assignments).values():
        groups[place.domain, place.split].add(place.group)
    for domain, count in enumerate(counts):
        for split in SPLITS:
            assert abs(len(groups[f"d{domain}", split]) - SHARES[split] * count) <= 1


@pytest.mark.slow
def test_the_real_interactions_in_ten_batches_end_as_one_batch(new_workspace, config, capture, real_interactions):
    records = examples(real_interactions)[:: 1 if SOAK else 4]
    size = -(-len(records) // 10)
    batches = [records[start : start + size] for start in range(0, len(records), size)]
    workspace = assert_batches_equal_one(new_workspace, config, batches, capture)
    assert {one.id for one in examples(workspace.all_examples)} == {one.id for one in records}
    assert rejections(workspace) == []
    by_id = {one.id: one for one in records}
    for found in examples(workspace.all_examples):
        assert found.messages == by_id[found.id].messages
    assert read_assignments(workspace.assignments).keys() == by_id.keys()


def test_another_threshold_changes_no_assignment(filled, config, example, capture, tmp_path):
    capture(filled, [example(n, "please tell me, if you can, at some length", domain="spam") for n in range(40)])
    process(filled, load(tmp_path / "none.toml", ["process.near_duplicate_threshold=1.0"]))
    before = read_assignments(filled.assignments)
    done = process(filled, load(tmp_path / "none.toml", ["process.near_duplicate_threshold=0.5"]))
    assert done.rejections["links-splits"] > 0
    assert read_assignments(filled.assignments) == before
    assert_nothing_leaks(filled, 0.5)
    assert_counts_reconcile(filled)


def test_another_table_of_domains_moves_files_and_no_split(workspace, config, interaction, tmp_path):
    write_raw(workspace, *(interaction(f"Why this error, number {n * 7919}?", f"{n * 104729}") for n in range(30)))
    process(workspace, config)
    before = read_assignments(workspace.assignments)
    done = process(workspace, load(tmp_path / "none.toml", ['domains.numbers.triggers=["number"]']))
    assert list(done.domains) == ["numbers"]
    assert sum(done.domains["numbers"].values()) == 30
    assert list(workspace.example_files()) == ["multi-domain", "numbers"], "the old domain's file is gone"
    assert {name: place.split for name, place in read_assignments(workspace.assignments).items()} == {
        name: place.split for name, place in before.items()
    }
    assert_counts_reconcile(workspace)


def test_an_assignment_outlives_its_example(filled, config):
    process(filled, config)
    before = read_assignments(filled.assignments)
    lines = filled.raw.read_bytes().splitlines(keepends=True)
    filled.raw.write_bytes(b"".join(lines[5:]))
    process(filled, config)
    assert read_assignments(filled.assignments) == before
    filled.raw.write_bytes(b"".join(lines))
    process(filled, config)
    assert read_assignments(filled.assignments) == before


def test_damaged_assignments_are_not_made_up_anew(filled, config):
    process(filled, config)
    with filled.assignments.open("a") as stream:
        stream.write('{"interaction_id": "x"}\n')
    before = everything(filled)
    with pytest.raises(UserError, match=r"assignments.jsonl:41: group: field required; restore the file from the"):
        process(filled, config)
    assert everything(filled) == before


NEAR_DUPLICATES = {
    "Chinese": ("什么是张量？请举例说明。", "什么是张量？请举例说明", "张量是多维数组，例如图像。"),
    "Japanese": ("テンソルとは何ですか？", "テンソルとは何ですか", "多次元の配列のことです。"),
    "Thai": ("เทนเซอร์คืออะไร?", "เทนเซอร์คืออะไร", "คืออาร์เรย์หลายมิติ"),
    "Arabic": ("ما هو الموتر في تعلم الآلة؟", "ما هو الموتر في تعلم الآلة", "هو مصفوفة متعددة الأبعاد."),
    "emoji": ("🐱 or 🐶?", "🐱 or 🐶!", "🐱🐱🐱🐱🐱🐱🐱🐱"),
    "two words": ("List sort?", "list  sort", "Use sorted()."),
}


@pytest.mark.parametrize(("query", "again", "expert"), NEAR_DUPLICATES.values(), ids=NEAR_DUPLICATES)
def test_short_near_duplicates_of_every_script_are_one_group(
    workspace, config, interaction, example, query, again, expert
):
    fillers = [example(n) for n in range(12)]
    write_raw(workspace, interaction(query, expert), *fillers, interaction(again, f"{expert} ", local="other"))
    process(workspace, config)
    places = list(read_assignments(workspace.assignments).values())
    assert places[0].group == places[-1].group != places[1].group


# The same, wherever and whenever.


def test_nothing_changed_writes_nothing(filled, config):
    first = process(filled, config)
    before = everything(filled)
    again = process(filled, config)
    assert (first.changed, again.changed) == (True, False)
    assert again.snapshot == first.snapshot
    assert everything(filled) == before


def test_what_was_changed_by_hand_is_put_right_without_a_new_snapshot(filled, config):
    first = process(filled, config)
    before = dataset_files(filled)
    filled.all_examples.write_text("")
    filled.split("test").unlink()
    again = process(filled, config)
    assert (again.changed, again.snapshot) == (True, first.snapshot)
    assert dataset_files(filled) == before


SCRIPT = """
import sys
from pathlib import Path
from weakspot import config
from weakspot.pipeline.process import process
from weakspot.workspace import Workspace
process(Workspace(Path(sys.argv[1])), config.Config())
"""


@pytest.mark.slow
def test_hash_seed_locale_and_time_zone_change_no_byte(new_workspace, example, interaction, capture):
    records = [
        *(example(n, "please", domain=f"d{n % 3}") for n in range(30)),
        *(example(n, "now", conversation_id=f"c{n % 4}") for n in range(30)),
        *(interaction(f"Straße 平面図 İ {n}", "ﬁx é 🎉" * n) for n in range(1, 9)),
    ]
    found = []
    for seed, locale, zone in (
        ("0", "C", "UTC"),
        ("1", "C.UTF-8", "Asia/Kathmandu"),
        ("4711", "tr_TR.UTF-8", "EST5EDT"),
    ):
        workspace = new_workspace()
        capture(workspace, records)
        environment = {**os.environ, "PYTHONHASHSEED": seed, "LC_ALL": locale, "TZ": zone}
        subprocess.run([sys.executable, "-c", SCRIPT, str(workspace.root)], env=environment, check=True)
        found.append((dataset_files(workspace), newest_snapshot(workspace), workspace.snapshot_names()))
    assert found[0] == found[1] == found[2]


# Snapshots.


def test_a_snapshot_is_named_by_the_day_and_the_second_of_a_day_by_its_number(filled, config, example, capture):
    before = f"v{datetime.now(UTC):%Y-%m-%d}"
    names = []
    for number in (100, 101, 102):
        capture(filled, [example(number)])
        names.append(process(filled, config).snapshot)
    day = names[0]
    assert before <= day <= f"v{datetime.now(UTC):%Y-%m-%d}"
    if len({name[:11] for name in names}) == 1:  # unless it is midnight
        assert names == [day, f"{day}.2", f"{day}.3"]
    assert filled.snapshot_names() == names


def test_a_snapshot_is_the_dataset_and_its_hashes_are_right(filled, config):
    name = process(filled, config).snapshot
    manifest = Snapshot.from_json(filled.snapshot_manifest(name).read_bytes())
    copied = {path: data for path, data in newest_snapshot(filled).items() if path != "manifest.json"}
    assert copied == dataset_files(filled)
    assert manifest.files == {path: atomic.sha256(filled.snapshot(name) / path) for path in sorted(copied)}
    assert manifest.counts == {"examples": 40, "rejections": 0}
    assert manifest.near_duplicate_threshold == 0.8


def test_an_older_snapshot_stays_as_it_was(filled, config, example, capture):
    name = process(filled, config).snapshot
    before = everything(filled)
    capture(filled, [example(100)])
    process(filled, config)
    inside = {path: found for path, found in before.items() if filled.snapshot(name) in path.parents}
    assert inside == {path: found for path, found in everything(filled).items() if path in inside}
    assert all(not path.stat().st_mode & 0o222 for path in inside if path.suffix == ".jsonl")


def test_what_was_left_of_a_killed_run_is_no_snapshot_and_in_no_ones_way(filled, config, example, capture):
    name = process(filled, config).snapshot
    filled.snapshot_manifest(name).unlink()
    (filled.snapshots / f".{name}.2.tmp").mkdir()
    capture(filled, [example(100)])
    assert process(filled, config).snapshot == f"{name}.2"
    assert filled.snapshot_names() == [f"{name}.2"]


def test_a_damaged_manifest_is_not_taken_for_the_dataset_of_today(filled, config):
    name = process(filled, config).snapshot
    filled.snapshot_manifest(name).chmod(0o644)
    filled.snapshot_manifest(name).write_text("{}")
    assert process(filled, config).snapshot == f"{name}.2"


# When something is in the way.


def test_two_do_not_process_at_once(filled, config):
    with (
        atomic.hold_lock(filled.lock, "process, train or deploy"),
        pytest.raises(UserError, match="another process, train or deploy is running here; wait until it has ended"),
    ):
        process(filled, config)


def test_a_full_disk_damages_nothing_and_room_mends_it(small_disk, config, example, capture):
    workspace = Workspace(small_disk)
    capture(workspace, [example(n) for n in range(2)])
    process(workspace, config)
    capture(workspace, [example(n) for n in range(100, 102)])
    before = {path: path.read_bytes() for path in workspace.root.rglob("*") if path.is_file()}
    with pytest.raises(OSError, match="No space left"):
        process(workspace, config)
    for path, data in before.items():
        if workspace.snapshots in path.parents or path == workspace.raw:
            assert path.read_bytes() == data
    for file in (workspace.all_examples, workspace.multi_domain, workspace.split("train")):
        assert 2 <= len(examples(file)) <= 4, "each is whole: the old one or the new one"
    subprocess.run(["mount", "-o", "remount,size=1m", str(small_disk)], check=True)
    process(workspace, config)
    assert_counts_reconcile(workspace)
    assert_nothing_leaks(workspace)
    assert [path.name for path in sorted(workspace.snapshots.iterdir())] == workspace.snapshot_names()


@pytest.mark.parametrize("writes", range(8))
def test_a_run_that_was_killed_between_two_files_is_finished_by_the_next(
    filled, config, example, capture, monkeypatch, new_workspace, writes
):
    process(filled, config)
    capture(filled, [example(n, domain="new") for n in range(100, 120)])
    whole = new_workspace()
    whole.raw.parent.mkdir()
    whole.raw.write_bytes(filled.raw.read_bytes())
    left = iter(range(writes))
    write_atomically = atomic.write_atomically

    def write_or_die(file, data):
        if next(left, None) is None:
            raise KeyboardInterrupt
        write_atomically(file, data)

    monkeypatch.setattr(atomic, "write_atomically", write_or_die)
    with pytest.raises(KeyboardInterrupt):
        process(filled, config)
    monkeypatch.undo()
    process(filled, config)
    process(whole, config)
    assert dataset_files(filled) == dataset_files(whole)
    assert newest_snapshot(filled) == newest_snapshot(whole)


def test_only_what_the_last_snapshot_names_is_removed(workspace, config, example, capture, tmp_path):
    capture(workspace, [example(n, domain="spam") for n in range(3)])
    process(workspace, config)
    assert workspace.examples("spam").exists()
    foreign, linked, precious = workspace.examples("theirs"), workspace.examples("link"), tmp_path / "precious"
    foreign.write_text("theirs")
    precious.write_text("precious")
    linked.symlink_to(precious)
    workspace.raw.unlink()
    capture(workspace, [example(n, domain="eggs") for n in range(3, 6)])
    process(workspace, config)
    assert not workspace.examples("spam").exists()
    assert (foreign.read_text(), linked.is_symlink(), precious.read_text()) == ("theirs", True, "precious")
    assert "link" not in workspace.example_files()
