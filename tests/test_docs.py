"""Every fenced block of README.md and docs/ is what it claims to be: commands are run, the rest is parsed."""

import importlib.util
import re
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from tests import forked_commands

from weakspot import config
from weakspot.records.parsing import parse_interaction, parse_json_object

ROOT = Path(__file__).parents[1]
DOCS = ROOT / "docs"
PAGES = [page for page in (ROOT / "README.md", *sorted(DOCS.glob("*.md"))) if page.is_file()]
LINKED_PAGES = [
    *PAGES,
    *(page for page in (ROOT / "CONTRIBUTING.md", ROOT / "CHANGELOG.md") if page.is_file()),
]

KINDS = {
    "console": "commands after '$ ', and what they print; blank lines aside, '...' stands for anything",
    "console fails": "the same, and every command ends with an exit status other than 0",
    "console norun": "a block with a command that a test cannot run, see NOT_RUN",
    "python": "run, in one namespace a page, in the folder of the page's commands",
    "toml": "a weakspot.toml",
    "json": "one JSON value",
    "jsonl": "raw interactions",
    "text": "a drawing, a form, a file name: nothing to check",
}
NOT_RUN = {
    r"git clone |pip install ": "needs the network",
    r"(VLLM\S+ )+vllm serve|python3 -m venv build/vllm|weakspot .*--to (vllm|gateway)": "needs a server with a model",
    r"weakspot deploy .*--to (gguf|mlx)": "needs an adapter; what it makes is tested",
    r"systemctl |sudo ": "needs systemd, or changes the machine",
    r"rclone ": "needs a server on another machine; a test copies with it",
    r"make (demo|test|check|fix|setup|docs|bench)\b": "takes minutes",
    r"weakspot .*(--load-in-4bit|Qwen/)": "needs a GPU and a hub",
    r"weakspot (gateway|mcp|ui)\b": "stays until it is stopped",
    r"weakspot collect --from ~/|claude ": "needs another program and its sessions",
    r"make build/vllm/ready": "takes gigabytes",
    r"torchrun |accelerate launch |ray start ": "needs several GPUs or machines",
}
MOST_NOT_RUN = 20
OWN_COMMAND = re.compile(rf"\b({'|'.join(forked_commands.COMMANDS)}) ")
NEEDS_THE_MODEL = re.compile(r"^weakspot (train|evaluate|deploy|ask|run)\b|^from weakspot import .*train", re.MULTILINE)


@dataclass
class Block:
    """A fenced block: where it stands, the words after its fence, and its lines."""

    page: Path
    line: int
    kind: str
    lines: list[str] = field(default_factory=list)

    @property
    def text(self) -> str:
        return "\n".join(self.lines) + "\n"

    def __str__(self) -> str:
        return f"{self.page.relative_to(ROOT)}:{self.line}"


@dataclass
class Command:
    """A command of a console block and the output shown below it."""

    line: int
    text: str
    output: list[str] = field(default_factory=list)


def blocks(page: Path) -> list[Block]:
    """Return the fenced blocks of a page."""
    found: list[Block] = []
    fence = ""
    for number, line in enumerate(page.read_text(encoding="utf-8").splitlines(), start=1):
        mark = re.match(r"(`{3,}|~{3,})(.*)", line)
        if not fence and mark:
            fence = mark[1]
            found.append(Block(page, number, mark[2].strip()))
        elif fence and line.rstrip() == fence:
            fence = ""
        elif fence:
            found[-1].lines.append(line)
    assert not fence, f"{found[-1]}: the block is never closed"
    return found


def commands(block: Block) -> list[Command]:
    """Return the commands of a console block; a trailing backslash, or '> ' in front, continues one."""
    found: list[Command] = []
    for number, line in enumerate(block.lines, start=block.line + 1):
        last = found[-1] if found else None
        if line.startswith("$ "):
            found.append(Command(number, line.removeprefix("$ ")))
        elif last is None:
            assert not line.strip(), f"{block.page.name}:{number}: output before the first command"
        elif not last.output and (last.text.endswith("\\") or line == ">" or line.startswith("> ")):
            last.text += "\n" + (line[2:] if line.startswith(">") else line)
        else:
            last.output.append(line)
    return found


def matches(shown: list[str], printed: list[str]) -> bool:
    """Whether the lines shown describe those printed: '...' is part of a line or, alone, any lines."""
    pattern = "".join(
        r"(?:.*\n)*?" if line.strip() == "..." else ".*?".join(map(re.escape, line.split("..."))) + r"\n"
        for line in shown
    )
    return re.fullmatch(pattern, "".join(f"{line}\n" for line in printed)) is not None


def solid(lines: list[str]) -> list[str]:
    """Return the lines that hold anything, without blanks at their ends."""
    return [line.rstrip() for line in lines if line.strip()]


def problem(command: Command, block: Block, folder: Path, environment: dict[str, str]) -> str:
    """Run a command as a reader would; return what is not as shown, empty where all is."""
    done = subprocess.run(
        ["bash", "-c", command.text],
        cwd=folder,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        encoding="utf-8",
        check=False,
    )
    place = f"{block.page.relative_to(ROOT)}:{command.line}: $ {command.text}"
    shown, printed = solid(command.output), solid(done.stdout.splitlines())
    if (done.returncode != 0) != (block.kind == "console fails"):
        return "\n".join([place, f"ended with {done.returncode}:", *printed])
    if not matches(shown, printed):
        return "\n".join([place, "printed:", *printed, "not:", *shown])
    return ""


def run_commands(block: Block) -> str:
    """Return the commands of a block that are run, one a line."""
    return "\n".join(command.text for command in commands(block)) if block.kind in ("console", "console fails") else ""


def python_of(block: Block) -> str:
    """Return the Python of a block that is run."""
    return block.text if block.kind == "python" else ""


def page_parameters() -> Iterator[object]:
    for page in PAGES:
        slow = any(run_commands(block) or NEEDS_THE_MODEL.search(python_of(block)) for block in blocks(page))
        marks = [pytest.mark.slow, pytest.mark.timeout(900)] if slow else []
        marks += [pytest.mark.long] if page.stem in ("tutorial", "models", "python") else []
        yield pytest.param(page, id=page.relative_to(ROOT).as_posix(), marks=marks)


def id_of(page: Path) -> str:
    return page.relative_to(ROOT).as_posix()


@pytest.mark.parametrize("page", list(page_parameters()))
def test_a_page_does_what_it_shows(page, tmp_path, monkeypatch, request):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "examples").symlink_to(ROOT / "examples")  # as in a clone
    runs_them = any(OWN_COMMAND.search(run_commands(block)) for block in blocks(page))
    environment = request.getfixturevalue("reader_with_forks") if runs_them else forked_commands.reader()
    namespace: dict[str, object] = {"__name__": "page"}
    found: list[str] = []
    for block in blocks(page):
        if block.kind in ("console", "console fails"):
            found += filter(None, (problem(command, block, tmp_path, environment) for command in commands(block)))
        elif block.kind == "python":
            # Empty lines in front make a traceback name the page's own line.
            exec(compile("\n" * block.line + block.text, str(page), "exec"), namespace)
    assert not found, "\n\n".join(found)


@pytest.mark.parametrize("page", PAGES, ids=id_of)
def test_a_page_shows_only_what_can_be_read_back(page, tmp_path):
    for block in blocks(page):
        assert block.kind in KINDS, f"{block}: {block.kind!r} is none of: {', '.join(KINDS)}"
        if block.kind == "toml":
            file = tmp_path / "weakspot.toml"
            file.write_text(block.text, encoding="utf-8")
            config.load(file)
        elif block.kind == "json":
            parse_json_object(block.text.encode())
        elif block.kind == "jsonl":
            for line in block.lines:
                parse_interaction(line.encode())


def test_only_what_needs_a_gpu_a_network_or_minutes_is_not_run():
    skipped = [block for page in PAGES for block in blocks(page) if block.kind == "console norun"]
    assert len(skipped) <= MOST_NOT_RUN, f"{len(skipped)} blocks are not run: {', '.join(map(str, skipped))}"
    for block in skipped:
        texts = [command.text for command in commands(block)]
        excuses = [why for pattern, why in NOT_RUN.items() for text in texts if re.match(pattern, text)]
        assert excuses, f"{block}: can be run: {texts}"


def prose(page: Path) -> str:
    """Return a page's text without its code."""
    text = re.sub(r"^(`{3,}|~{3,}).*?^\1$", "", page.read_text(encoding="utf-8"), flags=re.MULTILINE | re.DOTALL)
    return re.sub(r"(`+)(?!`).+?\1", lambda code: "" if "](" in code[0] else code[0], text)


def anchors(page: Path) -> set[str]:
    """Return the names that links into a page may use, as GitHub makes them of its headings."""
    found: dict[str, int] = {}
    names = set()
    for heading in re.findall(r"^#{1,6} +(.+?) *$", prose(page), re.MULTILINE):
        shown = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", heading)
        name = re.sub(r"[^\w\- ]", "", shown.lower()).replace(" ", "-")
        count = found[name] = found.get(name, -1) + 1
        names.add(f"{name}-{count}" if count else name)
    return names


@pytest.mark.parametrize("page", LINKED_PAGES, ids=id_of)
def test_internal_links_lead_somewhere(page):
    links = re.findall(r"\]\(([^)\s]+)[^)]*\)|<img[^>]* src=\"([^\"]+)\"", prose(page))
    for link in (one or other for one, other in links):
        if re.match(r"https?:|mailto:", link):
            continue
        name, _, anchor = link.partition("#")
        target = (page.parent / name).resolve() if name else page
        assert not name.startswith("/"), f"{id_of(page)}: {link}: write the path relative to the page"
        assert target.is_relative_to(ROOT), f"{id_of(page)}: {link}: leads out of the repository"
        assert target.exists(), f"{id_of(page)}: {link}: no such file"
        if anchor and target.suffix == ".md":
            assert anchor in anchors(target), f"{id_of(page)}: {link}: no such heading in {target.name}"


def test_the_command_reference_is_up_to_date():
    found = importlib.util.spec_from_file_location("make_reference", DOCS / "make_reference.py")
    assert found is not None
    assert found.loader is not None
    module = importlib.util.module_from_spec(found)
    found.loader.exec_module(module)
    assert (DOCS / "reference.md").read_text(encoding="utf-8") == module.reference(), "run 'make docs'"


@pytest.mark.parametrize(
    ("shown", "printed", "alike"),
    [
        (["a 1"], ["a 1"], True),
        (["a 1"], ["a 2"], False),
        (["a ... s"], ["a 1.5 s"], True),
        (["a ... s"], ["a", "1.5 s"], False),
        (["a", "...", "z"], ["a", "z"], True),
        (["a", "...", "z"], ["a", "b", "c", "z"], True),
        (["a", "...", "z"], ["a", "b"], False),
        ([], ["a"], False),
        (["..."], [], True),
    ],
)
def test_three_dots_stand_for_part_of_a_line_or_for_lines(shown, printed, alike):
    assert matches(shown, printed) is alike
