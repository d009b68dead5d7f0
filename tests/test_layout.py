"""The architecture as tests: who may import whom, what is where, and what must not be there at all."""

import ast
import functools
import graphlib
import re
import subprocess
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path

import pytest

from weakspot.models import garbage_collector

ROOT = Path(__file__).parents[1]
SRC = ROOT / "src"
TESTS = ROOT / "tests"
MODULES = sorted(SRC.rglob("*.py"))
FACES = [*SRC.glob("*/cli.py"), *SRC.glob("*/cli/*.py")]
STAGES = [SRC / "weakspot" / "pipeline" / f"{name}.py" for name in
          ("collect", "process", "validate", "train", "evaluate", "deploy")]  # fmt: skip
ZDDC = [file for file in MODULES if file.is_relative_to(SRC / "zddc")]
RECORDS = [file for file in MODULES if file.is_relative_to(SRC / "weakspot" / "records")]

# They take seconds to import, or are not part of a plain install.
HEAVY = frozenset(
    {
        *("torch", "transformers", "peft", "scipy", "matplotlib", "numpy", "rensa", "safetensors", "accelerate"),
        *("bitsandbytes", "gguf", "huggingface_hub", "jinja2", "markupsafe", "psutil", "ray", "tokenizers"),
        *(
            "betterleaks",
            "aiohttp",
            "anthropic",
            "openai",
            "httpx2",
            "mcp",
            "starlette",
            "mcp_types",
            "anyio",
            "uvicorn",
            "prometheus_client",
        ),
    }
)
# They subclass what torch has, which takes torch to define. Whoever needs them imports them in a function.
MADE_OF_TORCH = {
    *(f"weakspot/training/{name}.py" for name in ("lora_layers", "lora_matmul", "lora_moe", "chunked_cross_entropy")),
    *(f"weakspot/models/{name}.py" for name in ("kv_cache", "frozen_layers", "quantised_loading")),
}
# What workspace.py alone may spell.
FILE_NAMES = re.compile(
    r"interactions\.jsonl|unfitted\.jsonl|unheard\.jsonl|thoughts\.jsonl"
    r"|all\.jsonl|multi-domain\.jsonl|rejections\.jsonl"
    r"|releases\.jsonl|usage\.jsonl|decisions\.jsonl|forgotten\.jsonl|assignments\.jsonl|metrics\.jsonl"
    r"|(train|val|test)\.jsonl|manifest\.json|evaluation\.(json|html)|loss\.png"
)
WORDS_THAT_NAME_NOTHING = {"utils", "util", "helpers", "helper", "common", "manager", "base", "misc"}
# On the package index one of its releases ran code on every start of Python.
TAKEN_OVER = "litellm"
LONGEST_MODULE, LONGEST_FACE = 400, 35
# What stands in no folder: a subject of its own, in one file.
LOOSE = {
    *("__init__", "__main__", "api", "config", "settings", "workspace"),
    *("teachers", "retrieval", "progress", "mcp_server", "http_server"),
}
# Who may call a stage.
CALLERS_OF_STAGES = ("pipeline", "cli", "ui", "mcp_server", "api")
TESTED_ELSEWHERE = {
    "weakspot/__main__.py": "tests/weakspot/test_cli.py runs it",
    "zddc/__main__.py": "tests/zddc/test_cli.py runs it",
    "zddc/cli/names.py": "tests/zddc/test_cli.py runs both commands",
    "zddc/cli/options.py": "tests/zddc/test_cli.py gives the commands their options",
    "zddc/cli/output.py": "tests/zddc/test_cli.py reads what the commands print",
    "weakspot/cli/options.py": "tests/weakspot/test_cli.py gives every command its options",
    "weakspot/cli/output_capture.py": "tests/weakspot/test_cli.py reads what the commands print",
    "weakspot/cli/pipeline.py": "tests/weakspot/test_cli.py runs every command",
    "weakspot/cli/capture.py": "tests/weakspot/test_cli.py runs every command",
    "weakspot/cli/curate.py": "tests/weakspot/test_cli.py runs every command",
    "weakspot/cli/servers.py": "tests/weakspot/test_cli.py and test_mcp_server.py run the commands",
    "weakspot/records/strict_json.py": "tests/weakspot/records/test_parsing.py reads what is no JSON through it",
    "weakspot/records/__init__.py": "names what the modules beside it hold",
    "weakspot/records/adapters.py": "tests/weakspot/pipeline/ reads and writes each of them",
    "weakspot/records/datasets.py": "tests/weakspot/pipeline/test_process.py reads and writes each of them",
    "weakspot/records/releases.py": "tests/weakspot/deployment/test_releases.py reads and writes each of them",
    "weakspot/deployment/types.py": "holds what the targets are given; tests/weakspot/deployment/ builds it",
    "weakspot/evaluation/html_report.py": "tests/weakspot/pipeline/test_evaluate.py reads the page",
    "weakspot/progress.py": "draws on a terminal only; every stage's test passes through it",
    "weakspot/checks/types.py": "holds what the checks are given; tests/weakspot/checks/ builds it",
    "weakspot/vocabulary/__init__.py": "names what the modules beside it hold",
    "weakspot/vocabulary/domains.py": "tests/weakspot/dataset/test_domains.py asks with each of its words",
    "weakspot/vocabulary/wishes.py": "tests/weakspot/capture/test_wish_grammar.py says each of its phrases",
    "weakspot/settings.py": "tests/weakspot/test_config.py loads every table",
    "weakspot/training/lora_matmul.py": "test_lora_layers.py and test_lora_moe.py compare each product with PEFT's",
    "weakspot/training/lora_layout.py": "test_lora_layers.py and test_lora_moe.py lay out rows of every kind",
    "weakspot/training/adapter_export.py": "tests/weakspot/models/test_adapter_files.py reads what it writes",
    "weakspot/training/preparation.py": "tests/weakspot/pipeline/test_train.py and test_preflight.py prepare passes",
    "weakspot/models/device.py": "tests/weakspot/training/test_distributed.py asks for the GPU of each process",
    "weakspot/dataset/assignments.py": "tests/weakspot/pipeline/test_process.py reads what it has written",
}


def name_of(file: Path) -> str:
    return file.relative_to(SRC).as_posix()


@pytest.fixture(scope="module", autouse=True)
def _trees_are_there_for_these_tests_alone() -> Iterator[None]:
    """The garbage collector would look through all of them again and again, for as long as they are there."""
    with garbage_collector.pause():
        yield
        nodes_of.cache_clear()
        tree_of.cache_clear()


@functools.cache
def tree_of(file: Path) -> ast.Module:
    return ast.parse(file.read_text(encoding="utf-8"))


@functools.cache
def nodes_of(file: Path) -> list[ast.AST]:
    return list(ast.walk(tree_of(file)))


def modules_named(node: ast.AST) -> list[str]:
    """Return the modules that an import statement names, ``from a import b`` as a and a.b."""
    if isinstance(node, ast.Import):
        return [alias.name for alias in node.names]
    if isinstance(node, ast.ImportFrom):
        origin = "." * node.level + (node.module or "")
        return [origin, *(f"{origin}.{alias.name}" for alias in node.names)]
    return []


def imports(file: Path) -> Iterator[tuple[int, str]]:
    """Yield line and module of every import, wherever it stands."""
    for node in nodes_of(file):
        for module in modules_named(node):
            yield node.lineno, module


def imports_when_loaded(file: Path) -> Iterator[tuple[int, str]]:
    """Yield line and module of the imports that run when the module is loaded."""
    waiting: list[ast.AST] = list(tree_of(file).body)
    while waiting:
        node = waiting.pop(0)
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda):
            continue
        if isinstance(node, ast.If) and ast.unparse(node.test) in ("TYPE_CHECKING", "typing.TYPE_CHECKING"):
            waiting += node.orelse
            continue
        for module in modules_named(node):
            yield node.lineno, module
        waiting += ast.iter_child_nodes(node)


def literals(file: Path) -> Iterator[tuple[int, str]]:
    """Yield line and text of every string that is no docstring."""
    documentation = {
        id(node.body[0].value)
        for node in nodes_of(file)
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef)
        and node.body
        and isinstance(node.body[0], ast.Expr)
    }
    for node in nodes_of(file):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in documentation:
            yield node.lineno, node.value


def below(package: str, module: str) -> bool:
    return module == package or module.startswith(f"{package}.")


def root_of(module: str) -> str:
    return module.partition(".")[0]


def at(file: Path, found: Iterable[tuple[int, str]]) -> list[str]:
    """Return places as a person reads them: file, line, and what stands there."""
    return [f"{name_of(file)}:{line}: {what}" for line, what in found]


def tracked_files() -> list[Path]:
    """Return the files that are or will be in the repository."""
    command = ["git", "-C", str(ROOT), "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        pytest.skip("not a git repository")
    return [ROOT / name for name in done.stdout.split("\0") if name and (ROOT / name).is_file()]


def mirrors(module: Path) -> list[Path]:
    """Return the test files of a module: test_<module>.py, or parts of it, test_<module>_<part>.py."""
    if module.name == "__init__.py":  # a package is tested beside its folder, as a module is
        module = module.parent
    folder = TESTS / module.relative_to(SRC).parent
    return [*folder.glob(f"test_{module.stem}.py"), *folder.glob(f"test_{module.stem}_*.py")]


def test_there_is_something_to_look_at():
    assert [len(files) > 1 for files in (MODULES, FACES, STAGES, ZDDC, RECORDS)] == [True] * 5


def test_no_import_is_relative():
    assert [place for file in MODULES for place in at(file, imports(file)) if ": ." in place] == []


def test_zddc_never_imports_weakspot():
    found = []
    for file in ZDDC:
        found += at(file, (one for one in imports(file) if below("weakspot", one[1])))
    assert found == []


def test_heavy_libraries_are_imported_by_the_function_that_needs_them():
    found = []
    for file in MODULES:
        allowed = {"torch", "transformers"} if name_of(file) in MADE_OF_TORCH else set()
        found += at(file, (one for one in imports_when_loaded(file) if root_of(one[1]) in HEAVY - allowed))
    assert found == []


def test_what_loads_torch_is_made_of_it():
    for name in MADE_OF_TORCH:
        classes = [node for node in tree_of(SRC / name).body if isinstance(node, ast.ClassDef)]
        bases = {ast.unparse(base) for node in classes for base in node.bases}
        assert bases & {"nn.Module", "torch.autograd.Function", "DynamicLayer", "HfQuantizer"}, name


def test_what_loads_torch_is_imported_by_the_function_that_needs_it():
    loading = [name.removesuffix(".py").replace("/", ".") for name in MADE_OF_TORCH]
    found = []
    for file in MODULES:
        if name_of(file) not in MADE_OF_TORCH:
            loaded = imports_when_loaded(file)
            found += at(file, (one for one in loaded if any(below(module, one[1]) for module in loading)))
    assert found == []


@pytest.mark.slow
@pytest.mark.parametrize("module", ["weakspot.cli", "zddc.cli"])
def test_a_command_line_loads_no_heavy_library(module):
    code = f"import sys, {module}; print(*sorted({set(HEAVY)!r} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == []


def test_the_convention_needs_the_standard_library_only():
    known = sys.stdlib_module_names | {"zddc"}
    found = []
    for file in (SRC / "zddc" / "naming.py", SRC / "zddc" / "revision.py"):
        found += at(file, (one for one in imports(file) if root_of(one[1]) not in known))
    assert found == []


def test_records_settings_and_workspace_know_no_stage():
    known = (
        "weakspot.records",
        "weakspot.config",
        "weakspot.settings",
        "weakspot.workspace",
        "weakspot.vocabulary",
        "weakspot.records.strict_json",
    )
    found = []
    for file in [*RECORDS, *(SRC / "weakspot" / f"{name}.py" for name in ("config", "settings", "workspace"))]:
        ours = [one for one in imports(file) if below("weakspot", one[1])]
        found += at(file, (one for one in ours if not any(below(module, one[1]) for module in known)))
    assert found == []


def module_of(file: Path) -> str:
    """Return the dotted name of a file's module."""
    return ".".join(file.relative_to(SRC).with_suffix("").parts).removesuffix(".__init__")


def room_of(module: str) -> str:
    """Return the folder of a module, or the module where it stands in none: ``weakspot.training``."""
    return ".".join(module.split(".")[:2])


@functools.cache
def arrows() -> set[tuple[str, str]]:
    """Return who imports whom among our modules, wherever the import stands."""
    names = {module_of(file) for file in MODULES}
    found = set()
    for file in MODULES:
        for node in nodes_of(file):
            if not isinstance(node, ast.ImportFrom) or node.module is None:
                continue
            for alias in node.names:
                deeper = f"{node.module}.{alias.name}"
                found.add((module_of(file), deeper if deeper in names else node.module))
    return {(one, other) for one, other in found if other in names and one != other}


def order_of(arrows: Iterable[tuple[str, str]]) -> list[str]:
    """Return what is imported before who imports it; raise CycleError where there is a circle."""
    graph = graphlib.TopologicalSorter[str]()
    for one, other in arrows:
        graph.add(one, other)
    return list(graph.static_order())


def test_no_modules_import_each_other_in_a_circle():
    assert len(order_of(arrows())) > 100


def test_no_folders_import_each_other_in_a_circle_and_none_imports_upwards():
    rooms = {(room_of(one), room_of(other)) for one, other in arrows()}
    order = order_of({(one, other) for one, other in rooms if one != other})
    ground, top = order.index("weakspot.records"), order.index("weakspot.cli")
    assert ground < order.index("weakspot.models") < order.index("weakspot.training") < order.index("weakspot.pipeline")
    assert order.index("weakspot.pipeline") < top


def test_only_what_has_a_folder_of_its_own_subject_stands_in_none():
    loose = {file.stem for file in (SRC / "weakspot").glob("*.py")}
    assert sorted(loose - LOOSE) == []
    assert len(loose - {"__init__", "__main__"}) <= 12


def test_a_stage_is_called_by_those_that_run_stages_only():
    stages = {module_of(file) for file in (SRC / "weakspot" / "pipeline").glob("[a-z]*.py")}
    callers = {one for one, other in arrows() if other in stages}
    rooms = {room_of(one).removeprefix("weakspot.") for one in callers}
    assert sorted(rooms - set(CALLERS_OF_STAGES)) == []


def test_only_the_command_line_knows_the_command_line():
    faces = ("weakspot.cli", "zddc.cli", "typer")
    found = []
    for file in MODULES:
        if file not in FACES and file.name != "__main__.py" and name_of(file) != "zddc/console.py":
            found += at(file, (one for one in imports(file) if any(below(face, one[1]) for face in faces)))
    assert found == []


def test_only_the_workspace_knows_file_names():
    found = []
    for file in MODULES:
        if name_of(file) != "weakspot/workspace.py":
            found += at(file, (one for one in literals(file) if FILE_NAMES.search(one[1])))
    assert found == []


def test_functions_of_a_face_are_short():
    found = []
    for file in FACES:
        for node in nodes_of(file):
            if isinstance(node, ast.FunctionDef):
                length = (node.end_lineno or 0) - node.body[0].lineno + 1
                if length > LONGEST_FACE:
                    found += at(file, [(node.lineno, f"{node.name} has {length} lines")])
    assert found == []


def test_a_module_says_what_it_is_for():
    assert [name_of(file) for file in MODULES if not ast.get_docstring(tree_of(file))] == []


def test_a_module_is_one_thing():
    lengths = {name_of(file): len(file.read_text(encoding="utf-8").splitlines()) for file in MODULES}
    assert {name: length for name, length in lengths.items() if length > LONGEST_MODULE} == {}
    assert [name_of(file) for file in MODULES if WORDS_THAT_NAME_NOTHING & set(file.stem.split("_"))] == []


def test_a_module_has_a_test_where_one_looks_for_it():
    missing = []
    for file in MODULES:
        if len(tree_of(file).body) > 1 and not mirrors(file) and name_of(file) not in TESTED_ELSEWHERE:
            expected = (TESTS / file.relative_to(SRC)).with_name(f"test_{file.name}")
            missing.append(expected.relative_to(ROOT).as_posix())
    assert missing == []


def test_exceptions_are_needed():
    there = {name_of(file) for file in MODULES}
    mirrored = {name for name in TESTED_ELSEWHERE if mirrors(SRC / name)}
    assert set(TESTED_ELSEWHERE) - there == set()
    assert mirrored == set()


# Tests of what several pages, or pages and the package, have in common.
OF_ALL_PAGES = {
    "same": "TypeScript answers as Python does",
    "story": "the work of a week, from page to page",
    "firefox": "every page in the other browser",
}


def sources_of_pages() -> set[str]:
    """Return what the pages are made of, named as a test is: folders and files of web, and those shared by pages."""
    web = ROOT / "web"
    names = {file.stem.partition(".")[0] for folder in (web, web / "shared") for file in folder.iterdir()}
    return {re.sub(r"(?<=[a-z])([A-Z])", r"_\1", name).lower() for name in names if not name.startswith(".")}


def test_a_test_mirrors_a_module():
    found = [file for file in TESTS.rglob("test_*.py") if file.parent != TESTS]
    mirrored = {test for file in MODULES for test in mirrors(file)}
    for name in sources_of_pages() | set(OF_ALL_PAGES):
        mirrored |= {
            *(TESTS / "zddc" / "tools").glob(f"test_{name}.py"),
            *(TESTS / "zddc" / "tools").glob(f"test_{name}_*.py"),
        }
    assert [file.relative_to(ROOT).as_posix() for file in found if file not in mirrored] == []


def test_a_stage_is_a_command_with_a_section_in_the_documentation():
    from weakspot import cli

    commands = {command.callback.__name__ for command in cli.app.registered_commands if command.callback}
    pages = (ROOT / "docs" / "pipeline.md").read_text(encoding="utf-8").lower()
    assert [file.stem for file in STAGES if file.stem not in commands] == []
    assert [file.stem for file in STAGES if f"## {file.stem}\n" not in pages] == []


def test_nothing_runs_code_that_came_with_data():
    unsafe = ("pickle", "dill", "joblib", "shelve", "marshal", TAKEN_OVER)
    found = []
    for file in MODULES:
        for node in nodes_of(file):
            if isinstance(node, ast.keyword) and node.arg == "trust_remote_code":
                if ast.unparse(node.value) != "False":
                    found += at(file, [(node.value.lineno, ast.unparse(node))])
            elif isinstance(node, ast.Call) and ast.unparse(node.func) in ("torch.load", "eval", "exec"):
                found += at(file, [(node.lineno, ast.unparse(node.func))])
        found += at(file, (one for one in imports(file) if root_of(one[1]) in unsafe))
    assert found == []


# Written with brackets, so that this file is not found by its own search.
FORBIDDEN = {
    "an absolute path of one machine": re.compile(r"(?<![\w.])/(wor[k]|tmp/[w]|roo[t]|opt/pyp[i]|opt/whee[l]s)(/|\b)"),
    "the address of a package registry": re.compile(
        r"pyp[i]\.org|pythonhoste[d]|npmj[s]\.(org|com)|yarnpk[g]\.com|index-ur[l]|conda\.anacond[a]|crates\.i[o]"
    ),
}


@pytest.mark.parametrize("what", FORBIDDEN)
def test_the_repository_does_not_hold(what):
    found = []
    for file in tracked_files():
        try:
            lines = file.read_text(encoding="utf-8").splitlines()
        except UnicodeDecodeError:
            continue  # a picture
        found += [f"{file.relative_to(ROOT)}:{n}" for n, line in enumerate(lines, 1) if FORBIDDEN[what].search(line)]
    assert found == []


# Words in -ed that are no participles, and participles that do not end in it.
NO_PARTICIPLES = frozenset({"need", "feed", "seed", "speed", "exceed", "proceed", "embed", "shed", "hundred", "indeed"})
PARTICIPLES = frozenset(
    {
        *("kept", "found", "made", "told", "begun", "taken", "sent", "written"),
        *("read", "known", "seen", "shown", "built", "given", "drawn", "held"),
    }
)
# A name that begins with one of these says what the function does.
VERBS = ("read", "print", "retry", "collect", "store", "require", "forget")
MOST_PARTICIPLES = 55


def named_by_a_participle(name: str) -> bool:
    first, *others = name.strip("_").split("_")
    words = {first, *others}
    if first in VERBS and others:
        return False
    ends = {word for word in words if len(word) > 3 and word.endswith("ed")} - NO_PARTICIPLES
    return not name.startswith(("is_", "has_")) and bool(ends or words & PARTICIPLES)


def test_functions_are_named_by_what_they_do():
    """A participle hides it: few functions have one in their name, and those are values."""
    found = []
    for file in MODULES:
        functions = [node for node in nodes_of(file) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)]
        found += at(file, ((node.lineno, node.name) for node in functions if named_by_a_participle(node.name)))
    assert len(found) <= MOST_PARTICIPLES, found


def test_a_module_says_in_a_statement_what_it_is():
    asking = re.compile(r"(What|Who|Where|How|Whether|When|Which|Why)\b|.*\?$")
    first = {name_of(file): (ast.get_docstring(tree_of(file)) or "").partition("\n")[0] for file in MODULES}
    assert {name: line for name, line in first.items() if asking.match(line)} == {}
