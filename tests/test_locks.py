"""Every package that is installed is pinned to a version and to the hashes of its archives."""

import importlib.metadata
import re
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
EXTRAS = PROJECT["project"]["optional-dependencies"]
# Installed before the others, where there is such a torch.
FOR_CPU = "requirements/torch-cpu.lock"
LOCKS = sorted(
    path.relative_to(ROOT).as_posix() for path in [ROOT / "requirements.lock", *ROOT.glob("requirements/*.lock")]
)
ENTRY = re.compile(r"\S+==[\w.+!-]+(?: ; [^\\\n]+?)?(?: \\\n    --hash=sha256:[0-9a-f]{64})+")


def entries(lock: str) -> list[str]:
    return re.split(r"\n(?=\S)", (ROOT / lock).read_text(encoding="utf-8").rstrip("\n"))


def pins(*locks: str) -> dict[str, Requirement]:
    """Return what lock files pin, by the name of the package."""
    lines = [Requirement(one.partition(" \\")[0]) for lock in locks for one in entries(lock)]
    return {canonicalize_name(one.name): one for one in lines}


def closure(wanted: list[str]) -> set[str]:
    """Return the packages that requirements need here, of those that are installed."""
    seen: set[tuple[str, str]] = set()
    left = [(Requirement(one), "") for one in wanted]
    while left:
        one, parent_extra = left.pop()
        if one.marker and not one.marker.evaluate({"extra": parent_extra}):
            continue
        for extra in ["", *one.extras]:
            if (key := (canonicalize_name(one.name), extra)) not in seen:
                seen.add(key)
                try:
                    needs = importlib.metadata.requires(one.name) or []
                except importlib.metadata.PackageNotFoundError:
                    needs = []
                left += [(Requirement(need), extra) for need in needs]
    return {name for name, _ in seen}


@pytest.mark.parametrize("lock", LOCKS)
def test_every_entry_is_one_version_with_the_hashes_of_its_archives(lock):
    assert [one[:80] for one in entries(lock) if not ENTRY.fullmatch(one)] == []
    assert len(pins(lock)) == len(entries(lock))
    for one in entries(lock):
        hashes = re.findall("sha256:[0-9a-f]+", one)
        assert len(hashes) == len({*hashes}), one[:80]


def test_each_extra_has_a_lock_file_with_all_that_it_needs():
    build = PROJECT["build-system"]["requires"]
    for extra in EXTRAS.keys() - {"dev"}:
        wanted = [*PROJECT["project"]["dependencies"], *build, *EXTRAS[extra]]
        assert closure(wanted) - pins(f"requirements/{extra}.lock").keys() == set(), extra


def test_what_is_set_up_has_all_that_it_needs():
    wanted = [one for extra, some in EXTRAS.items() if extra != "qlora" for one in some]
    wanted += [*PROJECT["project"]["dependencies"], *PROJECT["build-system"]["requires"]]
    assert closure(wanted) - pins("requirements.lock", "requirements/cuda.lock").keys() == set()


def test_a_package_has_the_same_version_in_every_lock_file_of_ours():
    ours = pins("requirements.lock", "requirements/cuda.lock", "requirements/qlora.lock")
    for lock in [f"requirements/{extra}.lock" for extra in EXTRAS.keys() - {"dev"}]:
        assert {name: str(pin.specifier) for name, pin in pins(lock).items()}.items() <= {
            name: str(pin.specifier) for name, pin in ours.items()
        }.items()


def test_torch_for_the_cpu_is_the_same_version():
    (torch,) = pins(FOR_CPU).values()
    assert str(torch.specifier) == f"{pins('requirements.lock')['torch'].specifier}+cpu"


def test_what_builds_the_package_is_pinned_and_locked():
    (build,) = (Requirement(one) for one in PROJECT["build-system"]["requires"])
    assert re.fullmatch(r"==[\d.]+", str(build.specifier))
    assert pins("requirements.lock")[build.name].specifier == build.specifier


def test_nothing_is_installed_without_hashes_unless_a_user_asks_for_it():
    """Each installation compares hashes, but for HASHES=no and the package itself."""
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    installs = [line for line in makefile.splitlines() if "pip install" in line and "--require-hashes" not in line]
    assert [line.split("pip install")[1] for line in installs] == [
        " --quiet --no-compile --no-deps --requirement /dev/stdin",
        " --quiet --no-deps --no-build-isolation --editable .",
    ]
    pages = [ROOT / "README.md", *ROOT.glob("docs/*.md")]
    commands = [
        line for page in pages for line in page.read_text(encoding="utf-8").splitlines() if "pip install" in line
    ]
    unlocked = re.compile(r"pip install (?!.*--require-hashes)(?!.*--no-deps --no-build-isolation \.)(?!'zddc\[)")
    assert [line for line in commands if line.startswith("$") and unlocked.search(line)] == []
