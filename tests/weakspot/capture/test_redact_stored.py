"""Interactions that were stored before they could be scrubbed are scrubbed afterwards, and nothing else changes."""

from weakspot.capture.recorder import iter_interactions
from weakspot.capture.redact_stored import rescrub
from weakspot.storage import append_log

KEY = "sk-ant-" + "api03-" + "Zx9" * 30 + "-AA"


def test_a_preview_names_the_record_and_changes_nothing(workspace, config, interaction, capture):
    capture(workspace, [interaction("Why?"), interaction(f"My key is {KEY}, why?", interaction_id="int_secret")])
    before = workspace.raw.read_bytes()
    done = rescrub(workspace, config, dry_run=True)
    assert [(one.interaction_id, one.line, sum(one.counts.values())) for one in done.found] == [("int_secret", 2, 1)]
    assert (done.lines, done.replaced) == (2, False)
    assert workspace.raw.read_bytes() == before


def test_what_is_scrubbed_is_gone_from_the_file_and_the_rest_stays_byte_for_byte(
    workspace, config, interaction, capture
):
    clean, secret = interaction("Why?"), interaction(f"My key is {KEY}, why?", f"Revoke {KEY}.")
    capture(workspace, [secret, clean])
    assert rescrub(workspace, config, dry_run=False).replaced
    assert KEY.encode() not in workspace.raw.read_bytes()
    found = {one.id: one for one in iter_interactions(workspace)}
    assert found[clean.id].to_json() == clean.to_json()
    again = found[secret.id]
    assert again.metadata.scrubbed
    assert again.query.text != secret.query.text
    # One secret is one placeholder in the whole record.
    assert again.expert.text.removeprefix("Revoke ").rstrip(".") in again.query.text


def test_scrubbing_twice_finds_nothing_the_second_time(workspace, config, interaction, capture):
    capture(workspace, [interaction(f"My key is {KEY}, why?")])
    rescrub(workspace, config, dry_run=False)
    before = workspace.raw.read_bytes()
    done = rescrub(workspace, config, dry_run=False)
    assert (done.found, done.replaced) == ([], False)
    assert workspace.raw.read_bytes() == before


def test_a_key_of_ours_is_found_whatever_it_looks_like(workspace, config, interaction, capture, monkeypatch):
    monkeypatch.setenv("ANTHROPIC_API_KEY", "correct horse battery")
    capture(workspace, [interaction("It is correct horse battery, is it not?")])
    assert rescrub(workspace, config, dry_run=False).replaced
    assert b"horse" not in workspace.raw.read_bytes()


def test_a_line_that_is_no_interaction_is_counted_and_left(workspace, config, interaction, capture):
    capture(workspace, [interaction("Why?")])
    append_log.append(workspace.raw, ["half a li"])
    done = rescrub(workspace, config, dry_run=False)
    assert (done.lines, done.unreadable, done.replaced) == (2, 1, False)
