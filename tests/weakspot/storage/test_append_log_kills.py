"""However many writers are killed, and whenever: what was acknowledged is there once, and nothing else is damaged.

With WEAKSPOT_SOAK=1 each of eight writers is killed a thousand times for each length of record.
"""

import json
import os
import random
import subprocess
import sys
import time
from pathlib import Path

import pytest

from weakspot.storage import append_log

SOAK = os.environ.get("WEAKSPOT_SOAK") == "1"
WRITERS = 8
KILLS = WRITERS * (1000 if SOAK else 4)
REPLACEMENTS_KILLED = 1000 if SOAK else 6

pytestmark = [pytest.mark.slow, pytest.mark.timeout(7200 if SOAK else 600)]


@pytest.mark.parametrize("size", [2_000, 64_000, 1_000_000])
def test_what_was_acknowledged_is_there_once_however_often_writers_are_killed(tmp_path, size):
    program = [sys.executable, str(Path(__file__).with_name("kill_writers.py")), str(tmp_path), str(size), str(KILLS)]
    done = subprocess.run(program, stdout=subprocess.PIPE, text=True, check=True)
    print(size, done.stdout)
    counts = json.loads(done.stdout)
    assert counts["kills"] >= KILLS
    assert counts["acknowledged"] >= KILLS // 4
    assert (counts["lost"], counts["repeated"], counts["damaged"]) == (0, 0, 0)


REPLACE = """
import os, sys
from pathlib import Path
from weakspot.storage import append_log
file = Path(sys.argv[1])
lines = {line: line.data.decode().replace("old", "new") for line in append_log.read_lines(file) if b"old" in line.data}
os.write(1, b"ready\\n")
for line, new in lines.items():
    append_log.replace(file, {line: new})
"""


def test_replacing_that_is_killed_loses_nothing_and_is_finished_when_done_again(tmp_path):
    """Records are so long that some are only half overwritten when the process dies."""
    file, chance, marked = tmp_path / "f.jsonl", random.Random(3), 0
    for _ in range(REPLACEMENTS_KILLED):
        file.unlink(missing_ok=True)
        append_log.append(file, [f"{number} {'old ' * 500_000}" for number in range(2)])
        with subprocess.Popen([sys.executable, "-c", REPLACE, str(file)], stdout=subprocess.PIPE) as process:
            process.stdout.readline()
            time.sleep(chance.uniform(0, 0.035))
            process.kill()
        marked += b"\x18" in file.read_bytes()
        old, new = ([f"{number} {word * 500_000}" for number in range(2)] for word in ("old ", "new "))
        whole, torn = split(file, old + new)
        assert {text[0] for text in whole} == set("01")
        assert all(any(record.startswith(text) for record in new) for text in torn)
        for line in list(append_log.read_lines(file)):
            if b"old" in line.data:
                append_log.replace(file, {line: line.data.decode().replace("old", "new")})
        append_log.replace(file, {})
        assert sorted(split(file, old + new)[0]) == new
        assert b"old" not in file.read_bytes()
    print(f"{marked} of {REPLACEMENTS_KILLED} died between marking and overwriting")


def split(file, records: list[str]) -> tuple[list[str], list[str]]:
    """Return the lines that are among ``records``, and the others."""
    texts = [line.data.decode() for line in append_log.read_lines(file)]
    return [text for text in texts if text in records], [text for text in texts if text not in records]
