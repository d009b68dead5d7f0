"""Asks a real JavaScript engine, the one that comes with playwright, what it makes of values."""

import importlib.util
import json
import subprocess
from pathlib import Path

import pytest

# An independent canonical form: JavaScript's own JSON, and its own order of keys.
CANONICAL = """
function canonical(value) {
  if (Array.isArray(value)) return "[" + value.map(canonical).join(",") + "]";
  if (value === null || typeof value !== "object") return JSON.stringify(value);
  const keys = Object.keys(value).sort();
  return "{" + keys.map((key) => JSON.stringify(key) + ":" + canonical(value[key])).join(",") + "}";
}
"""


def run_javascript(code: str, given: object) -> object:
    """Run JavaScript; ``given`` is there as such, and the value of ``answer`` is returned."""
    found = importlib.util.find_spec("playwright")
    node = Path(found.origin).parent / "driver" / "node" if found and found.origin else None
    if not node or not node.exists():
        pytest.skip("playwright is not installed")
    whole = (
        'const given = JSON.parse(require("fs").readFileSync(0, "utf8"));\nlet answer;\n'
        f"(async () => {{ {code}\nprocess.stdout.write(JSON.stringify(answer)); }})();"
    )
    done = subprocess.run(
        [node, "-e", whole], input=json.dumps(given), capture_output=True, encoding="utf-8", check=False
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)
