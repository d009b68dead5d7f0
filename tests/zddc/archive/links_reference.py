"""Links resolved a second time in another way: over all paths, without an index."""

import re

from zddc.naming import parse_filename, parse_folder
from zddc.revision import revision_key


def found(paths, asked, project, may_read):
    """Resolve a link by the rules as they are written, over a list of paths.

    ``project`` is a list of names, and ``may_read`` is asked about the names of a file's folders.
    """
    stem, _, extension = asked.rpartition(".")
    number, _, revision = stem.partition("_")
    candidates = []
    for path in paths:
        folders, name = path.split("/")[:-1], path.split("/")[-1]
        read = parse_filename(name)
        if read.valid and read.tracking_number == number and folders[: len(project)] == project:
            candidates.append((path, folders, read))

    def kind_of(folders):
        dated = [place for place, name in enumerate(folders) if parse_folder(name).valid]
        before = folders[: dated[0]] if dated else folders
        kinds = [name.lower() for name in before if name.lower() in ("received", "issued", "incoming", "mdl")]
        return kinds[-1] if kinds else ""

    candidates = [one for one in candidates if kind_of(one[1]) != "incoming"]
    if revision:
        candidates = [one for one in candidates if one[2].revision == revision]
    else:
        candidates = [one for one in candidates if not re.search(r"~|\+", one[2].revision)]
        newest = max((revision_key(one[2].revision) for one in candidates), default=None)
        candidates = [one for one in candidates if revision_key(one[2].revision) == newest]
    candidates = [one for one in candidates if may_read(one[1])]
    wanted = {one[2].extension for one in candidates}
    order = [extension] if extension != "html" else ["html", "pdf", *sorted(wanted - {"html", "pdf"})]
    chosen = next((one for one in order if one in wanted), None)
    candidates = [one for one in candidates if one[2].extension == chosen]

    def age(candidate):
        path, folders, _ = candidate
        dates = [read.date for name in folders if (read := parse_folder(name)).valid]
        return dates[0] if dates else "9999", {"received": 0, "issued": 1}.get(kind_of(folders), 2), path

    return min(candidates, key=age)[0] if candidates else None


def draw_paths(chance):
    """Return the paths of a small archive."""
    numbers, revisions = (
        ("A-1", "a-1", "A-1.5"),
        ("A", "~A", "B", "A+C1", "0", "00", "1", "1.5", "~2", "P01", "2025-01-01"),
    )
    paths = set()
    for _ in range(chance.randint(1, 14)):
        folders = [f"P{chance.randint(1, 2)}", chance.choice(("Acme", "Pipe"))]
        folders += chance.choice(([], ["received"], ["Issued"], ["incoming"], ["old"], ["mdl"]))
        day = chance.choice(("2025-01-01", "2025-01-02", "2024-12-31", "2025-02-30"))
        folders += chance.choice(([], [f"{day}_T-{chance.randint(1, 2)} (IFC) - T"]))
        folders += chance.choice(([], [], ["native"], ["2020-01-01_T-9 (IFC) - Inside"]))
        status = chance.choice(("IFC", "IFR", "IFX"))
        extension = chance.choice(("pdf", "PDF", "html", "dwg", "xlsx"))
        name = f"{chance.choice(numbers)}_{chance.choice(revisions)} ({status}) - T{chance.randint(1, 2)}.{extension}"
        paths.add("/".join([*folders, name]))
    return sorted(paths)
