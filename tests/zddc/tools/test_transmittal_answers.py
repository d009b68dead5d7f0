"""Python, Node and Chromium judge the same data, signatures and folders alike."""

import base64
import hashlib
import json
import os
import random
import string

import pytest
from tests.zddc.test_canonical import draw_value
from tests.zddc.tools.conftest import TOOLS
from tests.zddc.tools.questions import bundled, run_node
from tests.zddc.transmittal import made
from tests.zddc.transmittal.test_signatures import ORDER, wycheproof

from zddc.canonical import JsonError, canonical_bytes, parse_json
from zddc.hashing import HashedFile, verify
from zddc.transmittal.data import Transmittal, parse_transmittal
from zddc.transmittal.page import make_page, read_viewer
from zddc.transmittal.signatures import check_signatures, format_coordinate
from zddc.transmittal.writing import format_block

pytestmark = [pytest.mark.browser, pytest.mark.slow]

SOAK = bool(os.environ.get("WEAKSPOT_SOAK"))
DOCUMENTS = 10_000 if SOAK else 300
MUTATIONS = 10_000 if SOAK else 300


@pytest.fixture(scope="module")
def ask_node(made_once):
    """Ask Node many questions at once."""
    bundle = bundled(made_once, "transmittalAnswer")
    code = (
        f"const {{ answerAll }} = await import({json.dumps(bundle.as_uri())});"
        "const given = JSON.parse((await import('node:fs')).readFileSync(0, 'utf8'));"
        "process.stdout.write(JSON.stringify(await answerAll(given)));"
    )
    return lambda questions: json.loads(run_node(json.dumps(questions).encode(), "--input-type=module", "-e", code))


@pytest.fixture(scope="module")
def ask_chromium(made_once, chromium):
    """Ask Chromium, on the page from the disk."""
    page = chromium.new_context().new_page()
    page.goto((TOOLS / "transmittal.html").as_uri())
    page.evaluate(bundled(made_once, "transmittalAnswer", "--format=iife").read_text(encoding="utf-8"))
    yield lambda questions: json.loads(
        page.evaluate("async given => JSON.stringify(await answerAll(JSON.parse(given)))", json.dumps(questions))
    )
    page.context.close()


def test_wycheproof_agrees_in_chromium(ask_chromium):
    questions, expected = [], []
    for group in wycheproof()["testGroups"]:
        point = group.get("publicKey") or group["key"]
        x, y = (format_coordinate(int(point[name], 16)) for name in ("wx", "wy"))
        jwk = {"kty": "EC", "crv": "P-256", "x": x, "y": y}
        for case in group["tests"]:
            signature, data = (base64.b64encode(bytes.fromhex(case[name])).decode() for name in ("sig", "msg"))
            questions.append({"ask": "signature", "jwk": jwk, "signature": signature, "data": data})
            expected.append(case["result"] == "valid")
    assert ask_chromium(questions) == expected
    assert len(expected) == 262


def test_documents_have_one_canonical_form(ask_node, ask_chromium):
    chance = random.Random(7)
    texts = []
    for _ in range(DOCUMENTS):
        text = json.dumps(draw_value(chance, 4), ensure_ascii=chance.random() < 0.5, indent=chance.choice((None, 1)))
        if chance.random() < 0.2:  # some are none, or such as programs read differently
            at = chance.randrange(len(text))
            text = text[:at] + chance.choice('{}[]",:\\0e-') + text[at + 1 :]
        texts.append(text)
    expected = []
    for text in texts:
        try:
            expected.append({"canonical": canonical_bytes(parse_json(text)).decode()})
        except JsonError as error:
            expected.append({"reason": error.reason})
    questions = [{"ask": "canonical", "text": text} for text in texts]
    assert ask_node(questions) == expected
    assert ask_chromium(questions) == expected
    assert sum("canonical" in one for one in expected) > DOCUMENTS / 2


def mutate(chance, data, other):
    """Change one value of what is signed: a letter, a number, or all of it for that of another transmittal."""
    places = []

    def walk(value, path):
        if isinstance(value, dict):
            for key, one in value.items():
                walk(one, (*path, key))
        elif isinstance(value, list):
            for number, one in enumerate(value):
                walk(one, (*path, number))
        else:
            places.append(path)

    walk({"payload": data["payload"], "envelope": data["envelope"]}, ())
    while True:
        path = chance.choice(places)
        holder = data
        twin = other
        for key in path[:-1]:
            holder, twin = holder[key], twin[key]
        key = path[-1]
        before = holder[key]
        if chance.random() < 0.3:
            after = twin[key]
        elif isinstance(before, str) and before:
            at = chance.randrange(len(before))
            after = before[:at] + chance.choice(string.printable[:95]) + before[at + 1 :]
        else:
            after = chance.choice(("", 0, 1, None, "x"))
        if after != before:
            holder[key] = after
            return path


def test_no_mutation_of_a_signed_transmittal_is_accepted(ask_node):
    chance = random.Random(11)
    one, other = made.data_of(made.signed(4)), made.data_of(made.signed(4, subject="Another", to="Steel-Co"))
    other["envelope"]["signatures"][0]["label"] = "Another"
    questions, paths = [], []
    for _ in range(MUTATIONS):
        data = json.loads(json.dumps(one))
        paths.append(mutate(chance, data, other))
        questions.append({"ask": "check", "text": json.dumps(data)})
    answers = ask_node(questions)
    accepted = [
        path
        for path, found in zip(paths, answers, strict=True)
        if "refused" not in found
        and found["intact"]
        and found["signatures"]
        and all(signature["valid"] and signature["attested"] for signature in found["signatures"])
    ]
    assert accepted == []
    # Python says the same of each of them.
    for question, found in zip(questions, answers, strict=True):
        if "refused" in found:
            continue
        check = check_signatures(parse_transmittal(question["text"]))
        told = [(one.valid, one.attested, one.label, one.reason) for one in check.signatures]
        assert (check.digest, check.intact) == (found["digest"], found["intact"])
        assert told == [(s["valid"], s["attested"], s["label"], s["reason"]) for s in found["signatures"]]


def test_the_other_s_of_a_signature_is_the_same_document(ask_node, ask_chromium):
    data = made.data_of(made.signed())
    (entry,) = data["envelope"]["signatures"]
    raw = base64.b64decode(entry["signature"])
    flipped = raw[:32] + (ORDER - int.from_bytes(raw[32:])).to_bytes(32)
    entry["signature"] = base64.b64encode(flipped).decode()
    question = {"ask": "check", "text": json.dumps(data)}
    for ask in (ask_node, ask_chromium):
        (found,) = ask([question])
        assert found["intact"] is True
        assert found["digest"] == check_signatures(made.signed()).digest
        assert [one["valid"] for one in found["signatures"]] == [True]


@pytest.mark.parametrize("name", ["signature", "attestation"])
def test_a_signature_is_written_in_one_way_only(ask_node, ask_chromium, name):
    data = made.data_of(made.signed())
    (entry,) = data["envelope"]["signatures"]
    before = entry[name]
    # The same bytes to a lenient reader: the last four bits of the letter in front of "==" are none of theirs.
    entry[name] = f"{before[:-3]}{chr(ord(before[-3]) + 1)}=="
    assert base64.b64decode(entry[name]) == base64.b64decode(before)
    text = json.dumps(data)
    verdicts = [one.valid for one in check_signatures(parse_transmittal(text)).signatures]
    for ask in (ask_node, ask_chromium):
        (found,) = ask([{"ask": "check", "text": text}])
        assert [one["valid"] for one in found["signatures"]] == verdicts == [False]


def test_a_published_page_is_byte_by_byte_what_python_writes(ask_node):
    viewer = read_viewer()
    transmittals = [
        made.signed(20, remarks="one\ntwo $& </script> \u2028", subject="<b>$'</b>"),
        Transmittal(made.signed().payload, {}, {}),
    ]
    questions = [{"ask": "page", "viewer": viewer, "text": format_block(one)} for one in transmittals]
    # A text on several lines with no mark in it: how an invisible character is shown differs.
    pages = [make_page(one, viewer) for one in transmittals]
    assert [one.replace("⟦U+2028⟧", "<U+2028>") for one in ask_node(questions)] == [
        one.replace("&lt;U+2028&gt;", "<U+2028>") for one in pages
    ]


def test_a_folder_is_compared_alike(ask_node, tmp_path):
    chance = random.Random(3)
    names = ["a.pdf", "b.pdf", "x/a.pdf", "x/b.pdf", "y/a.pdf", "Caf\u00e9.pdf", "Cafe\u0301.pdf", "x/y/c.pdf", "c.pdf"]
    questions, expected = [], []
    for number in range(400 if SOAK else 60):
        root = tmp_path / str(number)
        root.mkdir()
        there = {name: chance.choice("123") for name in chance.sample(names, chance.randrange(len(names)))}
        wanted = [(name, chance.choice("123")) for name in chance.sample(names, chance.randrange(len(names)))]
        for name, content in there.items():
            (root / name).parent.mkdir(parents=True, exist_ok=True)
            (root / name).write_text(content)
        digests = {text: hashlib.sha256(text.encode()).hexdigest() for text in "123"}
        hashed = sorted(((name, digests[content]) for name, content in there.items()), key=lambda one: one[0].encode())
        listed = [(name, digests[content]) for name, content in wanted]
        questions.append({"ask": "compare", "wanted": listed, "there": hashed})
        found = verify(root, [HashedFile(*one) for one in listed])
        expected.append([[one.path, one.kind, one.detail] for one in found])
    assert ask_node(questions) == expected
