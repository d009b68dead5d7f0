"""The pages are built from their sources alone, hold all that they need, and let nothing else in."""

import base64
import hashlib
import json
import re
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
WEB = ROOT / "web"
TOOLS = ROOT / "src" / "zddc" / "tools"
SOURCES = sorted(
    file
    for pattern in ("*.ts", "*.tsx", "*.css")
    for file in WEB.rglob(pattern)
    if not {"node_modules", "build", "test"} & set(file.relative_to(WEB).parts)
)
BUILT = sorted(TOOLS.glob("*.html"))

# In bytes.
LARGEST = {
    "archive": 420_000,
    "classifier": 260_000,
    "landing": 90_000,
    "mdedit": 700_000,
    "transmittal": 420_000,
    "viewer": 80_000,
}

# What turns text into markup or code.
SINKS = re.compile(
    r"""\b(inner|outer)HTML\b|\binsertAdjacentHTML\b|\bdangerouslySetInnerHTML\b|\bdocument\s*\.\s*write|\beval\s*\("""
    r"""|\bnew\s+Function\b|\bsrcdoc\b|\bcreateContextualFragment\b|\bsetHTMLUnsafe\b|\bparseHTMLUnsafe\b"""
    r"""|["'`]javascript:|\bset(Timeout|Interval)\(\s*["'`]"""
)
# A line may have one where it is checked before, and says so.
EXCUSE = re.compile(r"// sanitised: ")


def run_build(node: str, web: Path, out: Path) -> None:
    done = subprocess.run([node, "build.mjs", "--out", str(out)], cwd=web, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def directives_of(page: str) -> dict[str, list[str]]:
    found = re.search(r'<meta http-equiv="Content-Security-Policy" content="([^"]+)">', page)
    assert found
    return {name: values for name, *values in (one.split() for one in found[1].split(";"))}


def own_code_of(page: str) -> str:
    return page.split("\n// The page itself, readable.\n", 1)[1].split("</script>", 1)[0]


def source_of(text: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"


def test_there_are_pages():
    assert "landing" in {file.stem for file in BUILT}
    assert len(SOURCES) > 10
    assert {file.parent.name for file in WEB.glob("*/main.tsx")} == {file.stem for file in BUILT}


@pytest.mark.slow
def test_the_pages_are_fresh_and_another_folder_gives_equal_bytes(node, tmp_path):
    other = tmp_path / "elsewhere" / "web"
    shutil.copytree(WEB, other, ignore=shutil.ignore_patterns("node_modules", "build", "test"))
    (other / "node_modules").symlink_to(WEB / "node_modules")
    shutil.copy(ROOT / "pyproject.toml", other.parent)
    run_build(node, other, tmp_path / "built")
    for file in BUILT:
        built = (tmp_path / "built" / file.name).read_bytes()
        assert built == file.read_bytes(), (
            f"{file.name} is older than its sources, or tells where it is built: make web"
        )


@pytest.mark.slow
def test_types_are_right(node):
    compiler = [node, "node_modules/typescript/bin/tsc", "--noEmit"]
    done = subprocess.run(compiler, cwd=WEB, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout


@pytest.mark.slow
def test_the_tests_in_typescript_pass(node):
    done = subprocess.run([node, "test.mjs"], cwd=WEB, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout[-8000:] + done.stderr[-4000:]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("code", "complaint"),
    [
        ('export const address = "https://elsewhere.example/font";', "https://elsewhere.example/font"),
        ('export const end = "</script>";', None),
        ('import * as all from "preact"; console.log(all);', "import names"),
    ],
)
def test_a_page_that_may_not_be_is_not_built(node, tmp_path, code, complaint):
    web = tmp_path / "web"
    shutil.copytree(WEB, web, ignore=shutil.ignore_patterns("node_modules", "build", "test"))
    (web / "node_modules").symlink_to(WEB / "node_modules")
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    kept = 'import { address } from "./x.ts"; console.log(address);'.replace("address", code.split()[2])
    (web / "landing" / "x.ts").write_text(code if code.startswith("export") else f"{code}\nexport const x = 1;")
    start = kept if code.startswith("export") else 'import { x } from "./x.ts"; console.log(x);'
    (web / "landing" / "main.tsx").write_text(start)
    command = [node, "build.mjs", "--out", str(tmp_path / "out"), "landing"]
    done = subprocess.run(command, cwd=web, capture_output=True, text=True, check=False)
    if complaint is None:  # esbuild writes it in another way, which ends nothing
        assert done.returncode == 0
        assert (tmp_path / "out" / "landing.html").read_text().count("</script>") == 2
    else:
        assert done.returncode == 1
        assert complaint in done.stderr


@pytest.mark.slow
def test_an_unknown_page_is_an_error(node):
    done = subprocess.run([node, "build.mjs", "landin"], cwd=WEB, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr.splitlines()[0]) == (
        1,
        "landin: no page; the pages are archive, landing, classifier, transmittal, mdedit, viewer",
    )


@pytest.mark.parametrize("file", BUILT, ids=lambda file: file.stem)
def test_the_policy_of_a_page_names_its_own_script_and_style_and_nothing_else(file):
    page = file.read_bytes().decode()
    head = page[: page.index("</head>")]
    assert re.fullmatch(
        r'<!doctype html>\n<html [^>]*>\n<head>\n<meta http-equiv="Content-Security-Policy".*', head, re.S
    )
    assert page.encode().index(b'<meta charset="utf-8">') < 1024
    directives = directives_of(page)
    assert directives["default-src"] == ["'none'"]
    assert directives["form-action"] == directives["base-uri"] == ["'none'"]
    assert directives["require-trusted-types-for"] == ["'script'"]
    assert directives["connect-src"] in (["'self'"], ["'none'"])
    assert set(directives["img-src"]) <= {"data:", "blob:"}
    assert directives["frame-src"] == directives["worker-src"] == ["blob:"]
    assert "unsafe-inline" not in page[: page.index("<title>")]
    assert "'unsafe-eval'" not in page[: page.index("<title>")]
    scripts = re.findall(r"<script>(.*?)</script>", page, re.S)
    styles = re.findall(r"<style>(.*?)</style>", head, re.S)  # a page may write pages that have a style
    assert (len(scripts), len(styles)) == (1, 1)
    assert [one for one in directives["script-src"] if one != "'wasm-unsafe-eval'"] == [source_of(scripts[0])]
    assert directives["style-src"] == [source_of(styles[0])]


@pytest.mark.parametrize("file", BUILT, ids=lambda file: file.stem)
def test_a_page_is_no_larger_than_planned(file):
    assert file.stat().st_size <= LARGEST[file.stem]


@pytest.mark.parametrize("file", BUILT, ids=lambda file: file.stem)
def test_a_page_names_nothing_that_it_would_fetch(file):
    page = file.read_text(encoding="utf-8")
    markup = re.sub(r"<(script|style)\b.*?</\1>", "", page, flags=re.S)
    links = re.findall(r"""\b(?:src|href|srcset|action|poster)\s*=\s*["']?([^"'\s>]+)""", markup)
    assert [one for one in links if not one.startswith("data:")] == []
    assert re.findall(r"https?://[^\s\"'`<>)]+", own_code_of(page).replace("http://www.w3.org/", "")) == []
    assert "url(" not in re.search(r"<style>(.*?)</style>", page, re.S)[1].replace("url(data:", "")
    assert re.search(r"sourceMappingURL|/home/|/tmp/|node_modules", page) is None


@pytest.mark.parametrize("file", BUILT, ids=lambda file: file.stem)
def test_a_page_says_its_version_and_the_licence_of_each_library_in_it(file):
    page = file.read_text(encoding="utf-8")
    version = re.search(r'^version = "(.+)"', (ROOT / "pyproject.toml").read_text(), re.M)
    assert version
    assert f'<meta name="generator" content="zddc {version[1]}">' in page
    licences = re.search(r'<script type="text/plain" id="licences">\n(.*?)</script>', page, re.S)[1]
    assert "Permission is hereby granted" in licences
    if file.stem != "viewer":  # it is drawn without a library
        assert re.search(r"^preact \d", licences, re.M)
        assert "Jason Miller" in licences


@pytest.mark.parametrize("file", SOURCES, ids=lambda file: file.relative_to(WEB).as_posix())
def test_no_source_turns_text_into_markup_or_code(file):
    lines = file.read_text(encoding="utf-8").splitlines()
    assert [f"{n}: {line}" for n, line in enumerate(lines, 1) if SINKS.search(line) and not EXCUSE.search(line)] == []


@pytest.mark.parametrize("file", BUILT, ids=lambda file: file.stem)
def test_our_code_in_a_page_turns_no_text_into_markup_or_code(file):
    assert [line for line in own_code_of(file.read_text(encoding="utf-8")).splitlines() if SINKS.search(line)] == []


# Words of a person's language: in the text files only, so that another language can come.
TEXT_IN_MARKUP = re.compile(r">\s*([A-Za-z][^<>{}=;]*[a-z]{2}[^<>{}=;]*)</")
TEXT_IN_ATTRIBUTE = re.compile(r"""\b(title|placeholder|alt|aria-label|label)="([^"]*[A-Za-z]{2}[^"]*)\"""")


@pytest.mark.parametrize(
    "file",
    [file for file in SOURCES if file.suffix == ".tsx"],
    ids=lambda file: file.relative_to(WEB).as_posix(),
)
def test_no_text_for_people_stands_in_the_code(file):
    code = re.sub(r"//.*|/\*[\s\S]*?\*/", "", file.read_text(encoding="utf-8"))
    found = [one[0].strip() for one in TEXT_IN_MARKUP.findall(code) if one] + [
        "=".join(one) for one in TEXT_IN_ATTRIBUTE.findall(code)
    ]
    assert found == []


def test_versions_are_exact_and_locked():
    package = json.loads((WEB / "package.json").read_text())
    lock = json.loads((WEB / "package-lock.json").read_text())
    for kind in ("dependencies", "devDependencies"):
        for name, version in package[kind].items():
            assert re.fullmatch(r"\d+\.\d+\.\d+", version), name
            assert lock["packages"][f"node_modules/{name}"]["version"] == version
    for name, entry in lock["packages"].items():
        assert not name or "integrity" in entry, name
