"""The pages and Python say the same about names, revisions and filters, byte for byte, on drawn texts."""

import difflib
import os
import random
import unicodedata
from pathlib import Path

import pytest
from tests import archives
from tests.zddc.test_filters import BLANKS, WORDS, draw_expression, drawn_rows
from tests.zddc.test_filters import SPEC as FILTERS
from tests.zddc.tools.questions import asking

from zddc.filters import COLUMNS, FilterError, parse_filter
from zddc.name_check import _judge
from zddc.naming import folder_in_zip, format_filename, format_folder, looks_like_folder, parse_filename, parse_folder
from zddc.revision import parse_revision, revision_key
from zddc.server.drop_names import Target, refusal_of_names
from zddc.visible import INVISIBLE
from zddc.windows_names import windows_problem, windows_warning

pytestmark = pytest.mark.slow

COUNT = 20_000 if os.environ.get("WEAKSPOT_SOAK") else 1_500
# Letters that upper case, lower case, case folding, composition or UTF-16 treat in a way of their own.
LETTERS = (
    "ßẞſKÅΩİıiIſsσςΣµμΜŉǰΐὐᾳᾼﬁﬀŁéÉe\u0301"
    "ĳǅǆᏰᏸꭰᎠ𐐀𐐨😀\U0010ffff\ue000\uffff\u200b\ufeff\u0085\u001c\u00a0\u3000\u2028平²³¹٣"
)


@pytest.fixture(scope="module")
def ask(made_once):
    """Ask the pages' code many questions at once; its answers come in the same order."""
    return asking(made_once, "answer")


def compare(ask, questions, expected):
    for question, given, wanted in zip(questions, ask(questions), expected, strict=True):
        assert given == wanted, question


def drawn_name(chance, names):
    name = archives.mutate(chance, chance.choice(names)) if chance.random() < 0.8 else ""
    for _ in range(chance.choice((0, 0, 1, 3))):
        at = chance.randrange(len(name) + 1)
        name = name[:at] + chance.choice(LETTERS) + name[at:]
    return name


def file_names(chance):
    files = [*archives.draw(400, 5, odd=0.3)]
    return sorted({part for file in files for part in file.path.split("/")} | {file.path for file in files[:20]})


def verdict(name, is_folder):
    judged = _judge(Path(name), is_folder) if name not in ("", ".", "..") and "/" not in name else None
    return judged and {"reason": judged.reason, "corrected": judged.corrected or ""}


def test_what_may_be_handed_in_is_what_the_server_takes_and_so_is_each_correction(ask):
    chance = random.Random(8)
    known = file_names(chance)
    folders = ["2025-10-31_ACME-TRN-0007 (IFC) - Civil package", "2025-1-2_A (IFC) - B", "2025-10-31_A-1 (ifc) – Set"]
    files = [
        "SHA256SUMS",
        f"{folders[0]}.html",
        "ACME-TRN-0007_2025-10-31 (IFC) - Civil package.html",
        "A_1 (ifc) - B.pdf",
    ]
    drawn = [
        [
            chance.choice(folders) if chance.random() < 0.7 else drawn_name(chance, folders),
            *chance.choice(([], [], ["native"], ["con"])),
            chance.choice(files) if chance.random() < 0.3 else drawn_name(chance, known),
        ]
        for _ in range(COUNT)
    ]
    # What hides is passed over; a name with a separator is none; and beside no transmittal nothing is looked for.
    drawn = [
        names
        for names in drawn
        if all(name and not name.startswith((".", "_")) and "/" not in name for name in names)
        and (looks_like_folder(names[0]) or parse_folder(names[0]).valid)
    ]
    seen = set()
    for names, (kept, good, corrected) in zip(
        drawn, ask([{"ask": "hand in", "names": names} for names in drawn]), strict=True
    ):
        said = refusal_of_names(Target(("incoming",), tuple(names[:-1]), names[-1]))
        assert kept
        assert good == (said == ""), (names, said)
        if corrected:
            first, *inside, last = corrected.split("/")
            assert inside == names[1:-1]
            assert refusal_of_names(Target(("incoming",), (first, *inside), last)) == "", (names, corrected)
        seen.add((good, bool(corrected)))
    assert seen == {(True, False), (False, True), (False, False)}


def test_names_of_files_are_read_and_corrected_alike(ask):
    chance = random.Random(1)
    known = file_names(chance)
    names = [drawn_name(chance, known) for _ in range(COUNT)]
    names = [name for name in names if name not in ("", ".", "..") and "/" not in name]
    expected = []
    for name in names:
        read = parse_filename(name)
        expected.append([read.to_json(), read.extension_as_written, verdict(name, False), folder_in_zip(name)])
    compare(ask, [{"ask": "filename", "text": name} for name in names], expected)
    assert sum(answer[0]["valid"] for answer in expected) > COUNT / 10


def test_names_of_folders_are_read_and_corrected_alike(ask):
    chance = random.Random(2)
    folders = [name for name in file_names(chance) if looks_like_folder(name)]
    names = [drawn_name(chance, folders) for _ in range(COUNT)]
    names = [name for name in names if name not in ("", ".", "..") and "/" not in name]
    expected = [[parse_folder(name).to_json(), verdict(name, True), looks_like_folder(name)] for name in names]
    compare(ask, [{"ask": "foldername", "text": name} for name in names], expected)
    assert sum(answer[0]["valid"] for answer in expected) > COUNT / 10


def test_parts_are_written_or_refused_alike(ask):
    chance = random.Random(3)
    pieces = (
        "A-1",
        "A",
        "~B",
        "A+C1",
        "IFC",
        "ifc",
        "Plan",
        "T. ",
        " x",
        "pdf",
        ".pdf",
        "a_b",
        "it's",
        '"x"',
        "é\n",
        "(a)",
        "",
    )
    pieces += ("2025-10-31", "2025-02-29", "A\\B", "\ud800", "😀", "\u202e", "'\"", "x" * 3)
    questions, expected = [], []
    for _ in range(COUNT):
        keys = ("trackingNumber", "revision", "status", "title", "extension")
        usual = dict(zip(keys, ("A-1", "B", "IFC", "Plan", "pdf"), strict=True))
        parts = usual | {key: chance.choice(pieces) for key in chance.sample(keys, chance.randint(0, 2))}
        questions.append({"ask": "format filename", "parts": parts})
        expected.append(written(format_filename, parts))
        keys = ("date", "trackingNumber", "status", "title")
        usual = dict(zip(keys, ("2025-10-31", "T-1", "IFC", "Plan"), strict=True))
        parts = usual | {key: chance.choice(pieces) for key in chance.sample(keys, chance.randint(0, 2))}
        questions.append({"ask": "format foldername", "parts": parts})
        expected.append(written(format_folder, parts))
    compare(ask, questions, expected)


def written(write, parts):
    named = {key.replace("trackingNumber", "tracking_number"): value for key, value in parts.items()}
    try:
        return write(**named)
    except ValueError as error:
        return {"error": str(error)}


def drawn_revision(chance):
    pieces = ("~", "+", "A", "a", "AA", "B", "C1", "C01", "C10", "0", "1", "01", ".5", ".50", "10", "2025-10-31", "X1")
    text = "".join(chance.choice(pieces) for _ in range(chance.randint(0, 4)))
    return text + "".join(chance.choice(LETTERS) for _ in range(chance.choice((0, 0, 0, 1, 2))))


def test_revisions_are_taken_apart_and_ordered_alike(ask):
    chance = random.Random(4)
    questions, expected = [], []
    for number in range(COUNT):
        one, other = drawn_revision(chance), drawn_revision(chance)
        if number % 3 == 0:
            other = one + chance.choice(LETTERS)
        questions += [{"ask": "revision", "text": one}, {"ask": "revisions", "text": one, "other": other}]
        read = parse_revision(one)
        parts = {"base": read.base, "modifier": read.modifier, "modifierType": read.modifier_type}
        parts |= {"modifierNumber": str(read.modifier_number), "modifierIsDraft": read.modifier_is_draft}
        expected.append(parts | {"isDraft": read.is_draft, "text": read.text})
        older, newer = revision_key(one), revision_key(other)
        expected.append((older > newer) - (older < newer))
    compare(ask, questions, expected)


def test_what_windows_refuses_is_refused_alike(ask):
    chance = random.Random(5)
    names = [
        "CON",
        "aux.txt",
        "COM¹",
        "nul .txt",
        "desktop.ini",
        "DESKTOP.İNI",
        "a_vti_b",
        "_VTı_",
        ".loc\u212a",
        "~$x",
    ]
    names += ["de\u017fktop.ini", "é" * 128, "x" * 256, "😀" * 64, "a/" * 131, "\ufeffx", "\x1cx", *file_names(chance)]
    texts = names + [drawn_name(chance, names) for _ in range(COUNT)]
    expected = [[windows_problem(text), windows_warning(text)] for text in texts]
    compare(ask, [{"ask": "windows", "text": text} for text in texts], expected)


def test_every_letter_is_folded_quoted_and_trimmed_alike(ask):
    step = 1 if os.environ.get("WEAKSPOT_SOAK") else 7
    cased = [
        chr(point)
        for point in range(0x20000)
        if chr(point).casefold() != chr(point) or chr(point).upper() != chr(point)
    ]
    letters = cased + [chr(point) for point in range(0, 0x110000, step) if unicodedata.category(chr(point)) != "Cn"]
    texts = [*letters, *(f" {letter} {letter}'\u2003" for letter in letters[::5])]
    expected = []
    for text in texts:
        marked = INVISIBLE.sub(lambda found: f"⟦U+{ord(found[0]):04X}⟧", text)
        pieces = len(
            [
                part
                for part in INVISIBLE.sub("\0", text.replace("\t", "\0").replace("\n", "\0"))
                .replace("\0", "\1\0\1")
                .split("\1")
                if part
            ]
        )
        expected.append([text.casefold(), repr(text), text.strip(), marked, pieces])
    compare(ask, [{"ask": "text", "text": text} for text in texts], expected)


def test_texts_are_ordered_alike(ask):
    chance = random.Random(6)
    questions, expected = [], []
    for _ in range(COUNT):
        one, other = (
            "".join(chance.choice("ab" + LETTERS + "\ud800\udfff") for _ in range(chance.randint(0, 3))) for _ in "12"
        )
        # Two halves side by side are one letter for JavaScript, and come from no file name.
        one, other = (text.encode("utf-16", "surrogatepass").decode("utf-16", "replace") for text in (one, other))
        questions.append({"ask": "order", "text": one, "other": other})
        expected.append((one > other) - (one < other))
    compare(ask, questions, expected)


def test_a_word_that_was_meant_is_found_alike(ask):
    chance = random.Random(7)
    questions, expected = [], []
    for _ in range(COUNT):
        words = (*COLUMNS, "aaaa" * 60, "abcabcabc" * 30)
        word = archives.mutate(chance, chance.choice(words)).encode("ascii", "ignore").decode().lower()
        questions.append({"ask": "close", "text": word, "known": [*COLUMNS]})
        expected.append((difflib.get_close_matches(word, COLUMNS, 1) or [""])[0])
    compare(ask, questions, expected)


PIECES = (
    *WORDS, *LETTERS, *"aAkKsSzZ09_-.*+?[]{}\\^$!:,\"'<>=#~", ".*", ".+", "\\d", "\\w+", "\\W", "\\s", "\\S*",
    "\\D", "\\b", "\\B",
    "\\A", "\\z", "\\Z", "\\.", "\\_", "\\-", "\\x41", "\\x{e9}", "\\x", "\\101", "\\0", "\\8", "\\pL", "\\p{Lu}",
    "\\P{Ll}", "\\p{Greek}",
    "\\p{^Han}", "\\p{C}", "\\pN", "\\p{Foo}", "\\pX", "\\Qa", "\\C", "[a-k]", "[^k]", "[s-z]", "[^a-z0-9]",
    "[é-ü]", "[[:alpha:]]",
    "[[:^word:]]", "[[:foo:]]", "[\\d\\pL]", "[^\\W]", "[]a]", "[^]a]", "[a-]", "[z-a]", "[", "{2}", "{0,2}",
    "{1,}", "{2,1}", "{,2}",
    "{1001}", "{999}", "*?", "+?", "??", "a{2}?", "status:", "ext:", "rev:", "colour:", "tile:", "title:!", "^",
    "$", "\\$", "||", "|",
)  # fmt: skip


def drawn_text(chance):
    if chance.random() < 0.4:
        return draw_expression(chance).text
    parts = [chance.choice(PIECES) for _ in range(chance.randint(1, 6))]
    if chance.random() < 0.1:
        parts.append(chance.choice(("a" * 201, "x " * 600, "(" * 21, ")", "\ud800x", '"')))
    text = "".join(part + (chance.choice((*BLANKS, "(", ")")) if chance.random() < 0.15 else "") for part in parts)
    return "".join(chance.choice(("^", ""))) + text + chance.choice(("$", ""))


def letter_rows():
    texts = (
        ["".join(LETTERS[at : at + 4]) for at in range(0, len(LETTERS), 4)]
        + [*LETTERS]
        + ["kelvin K", "STRASSE ſß", "_a b", "T\udcff note", ""]
    )
    return [dict.fromkeys(FILTERS["rows"]["notes"], "") | {"title": text, "name": f"x {text}.pdf"} for text in texts]


def test_filters_match_the_same_rows_and_are_refused_alike(ask):
    chance = random.Random(8)
    rows = drawn_rows(chance) + letter_rows()
    questions, expected = [{"ask": "rows", "rows": rows}], [len(rows)]
    for _ in range(COUNT):
        text = drawn_text(chance)
        questions.append({"ask": "filter", "text": text})
        try:
            matches = parse_filter(text)
        except FilterError as error:
            expected.append({"start": error.start, "end": error.end, "message": str(error)})
        else:
            expected.append([at for at, row in enumerate(rows) if matches(row)])
    compare(ask, questions, expected)
    refused = sum(isinstance(answer, dict) for answer in expected[1:])
    assert COUNT / 50 < refused < COUNT / 2
