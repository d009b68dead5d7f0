"""Write a benchmark's result with the machine and the versions that it was measured on."""

import json
import os
import platform
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from weakspot.pipeline.train import versions

RESULTS = Path(__file__).parent / "results"


def write(name: str, claim: str, ratios: dict[str, float], figures: dict[str, Any]) -> Path:
    """Write ``results/<name>.json`` and return it."""
    model = next(
        (
            line.split(":", 1)[1].strip()
            for line in Path("/proc/cpuinfo").read_text().splitlines()
            if "model name" in line
        ),
        platform.processor(),
    )
    result = {
        "claim": claim.removeprefix("Claim: "),
        "ratios": {label: round(value, 4) for label, value in ratios.items()},
        "figures": figures,
        "machine": {"cpu": model, "cores": os.cpu_count(), "system": platform.system()},
        "versions": versions(),
        # Where a file lay on the machine says nothing, and is nobody's business.
        "command": " ".join(["python", sys.argv[0], *(Path(given).name for given in sys.argv[1:])]),
        "date": datetime.now(UTC).date().isoformat(),
    }
    RESULTS.mkdir(exist_ok=True)
    file = RESULTS / f"{name}.json"
    file.write_text(json.dumps(result, indent=2, ensure_ascii=False) + "\n")
    return file
