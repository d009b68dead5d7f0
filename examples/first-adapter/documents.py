"""Invent the file names of a project's documents, the same ones for the same seed."""

import random
from collections.abc import Iterator

from zddc.naming import STATUSES, format_filename

_DISCIPLINES = ["EL", "ME", "CI", "IN", "PR", "ST", "HV", "PI", "AR", "TE"]
_TYPES = ["SPC", "DWG", "CAL", "DAT", "PRO", "REP", "MDL", "ITP", "MAN", "SCH"]
_REVISIONS = ["A", "B", "C", "D", "0", "1", "2", "3", "~A", "~B", "A+C1", "B+C2", "0+N1", "1+Q1", "2025-10-31"]
_EXTENSIONS = ["pdf", "docx", "xlsx", "dwg", "md"]
_KINDS = ["Specification For", "Data Sheet For", "Layout Of", "Calculation For", "Inspection Plan For", "Manual For"]
_PLACES = ["Main", "Auxiliary", "Emergency", "North", "South", "Upper", "Temporary", "Standby"]
_THINGS = [
    "Switchgear", "Cooling Pump", "Feed Water Tank", "Cable Tray", "Control Panel", "Steel Platform",
    "Fire Damper", "Gas Compressor", "Heat Exchanger", "Lighting", "Transformer Bay", "Pipe Rack",
    "Crane Rail", "Battery Room", "Drain Pit", "Access Road",
]  # fmt: skip


def file_names(count: int, seed: int) -> Iterator[str]:
    """Yield ``count`` different canonical file names."""
    choose = random.Random(seed)
    seen: set[str] = set()
    while len(seen) < count:
        name = format_filename(
            tracking_number="-".join(
                [
                    str(choose.randint(100000, 999999)),
                    choose.choice(_DISCIPLINES),
                    choose.choice(_TYPES),
                    f"{choose.randint(1, 9999):04d}",
                ]
            ),
            revision=choose.choice(_REVISIONS),
            status=choose.choice(list(STATUSES)),
            title=" ".join([choose.choice(_KINDS), choose.choice(_PLACES), choose.choice(_THINGS)]),
            extension=choose.choice(_EXTENSIONS),
        )
        if name not in seen:
            seen.add(name)
            yield name
