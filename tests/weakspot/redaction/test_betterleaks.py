"""What betterleaks knows is used where it is installed, and its ways to look elsewhere are closed."""

import subprocess
import sys
import threading

import pytest

from weakspot.redaction import betterleaks
from weakspot.redaction.betterleaks import provider_keys

pytest.importorskip("betterleaks")

# In parts, as no key may stand in a repository.
LINEAR = "lin_" + "api_" + "aB3dE5gH7jK9mN1pQ2rS4tU6vW8xY0zA1b2C3d4E"


def found(text: str) -> list[str]:
    return [text[span.start : span.end] for span in provider_keys(text)]


def test_a_key_is_found_at_every_place():
    assert found(f"a {LINEAR} b\n{LINEAR}") == [LINEAR, LINEAR]


@pytest.mark.parametrize("before", ["", "\0", "\ud800", "ä" * 3_490 + " ", "x " * 4_500, "İ "])
@pytest.mark.parametrize("after", ["", " # gitleaks:allow", " # BetterLeaks:Allow"])
def test_nothing_keeps_it_from_looking(before, after):
    assert {*found(f"{before}{LINEAR}{after}")} == {LINEAR}


def test_names_and_passwords_are_left_to_our_own_rules():
    assert found("login('testuser', 'password123')  # postgres://app:hunter2Correct9@db/app") == []


def test_threads_may_use_it_at_once():
    results: list[list[str]] = []
    threads = [threading.Thread(target=lambda: results.append(found(LINEAR))) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert results == [[LINEAR]] * 8


@pytest.mark.slow
def test_a_forked_process_goes_on_without_it():
    code = f"""
import os
from weakspot.redaction.betterleaks import provider_keys
assert list(provider_keys({LINEAR!r}))
if os.fork() == 0:
    os._exit(len(list(provider_keys({LINEAR!r}))))
assert os.wait()[1] == 0
"""
    done = subprocess.run([sys.executable, "-W", "ignore", "-c", code], timeout=240, capture_output=True, check=False)
    assert done.returncode == 0, done.stderr.decode()


def test_without_it_nothing_is_found(monkeypatch):
    monkeypatch.setitem(sys.modules, "betterleaks", None)
    betterleaks._library.cache_clear()
    try:
        assert found(LINEAR) == []
    finally:
        betterleaks._library.cache_clear()
