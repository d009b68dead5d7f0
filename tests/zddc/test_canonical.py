"""JSON is read strictly and written canonically as spec/canonical.json and a JavaScript engine do.

With WEAKSPOT_SOAK=1 there are 100,000 random numbers and 10,000 random documents.
"""

import json
import math
import os
import random
import struct
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.zddc.node import CANONICAL, run_javascript

from zddc.canonical import LARGEST_INTEGER, JsonError, canonical_bytes, parse_json, utf16_units

SPEC = json.loads((Path(__file__).parents[2] / "spec" / "canonical.json").read_text(encoding="utf-8"))
SOAK = bool(os.environ.get("WEAKSPOT_SOAK"))
NUMBERS, DOCUMENTS = (100_000, 10_000) if SOAK else (3_000, 300)

texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=8)
numbers = st.integers(-LARGEST_INTEGER, LARGEST_INTEGER) | st.floats(allow_nan=False, allow_infinity=False)
values = st.recursive(
    st.none() | st.booleans() | numbers | texts,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(texts, inner, max_size=4),
    max_leaves=12,
)


def by_rule(case):
    return case["rule"]


def double(bits: str) -> float:
    return struct.unpack(">d", bytes.fromhex(bits))[0]


@pytest.mark.parametrize("case", SPEC["canonical"], ids=by_rule)
def test_a_text_has_one_canonical_form(case):
    assert canonical_bytes(parse_json(case["text"])).decode() == case["canonical"]
    assert canonical_bytes(parse_json(case["text"].encode())).decode() == case["canonical"]


@pytest.mark.parametrize("case", SPEC["refused"], ids=by_rule)
def test_what_programs_read_differently_is_refused_with_its_place(case):
    text = case["text"] if "text" in case else case["repeated"] * case["times"]
    with pytest.raises(JsonError) as caught:
        parse_json(text)
    assert (caught.value.reason, caught.value.line, caught.value.column) == (
        case["reason"],
        case["line"],
        case["column"],
    )


@pytest.mark.parametrize("case", SPEC["refused_bytes"], ids=by_rule)
def test_bytes_that_are_no_text_are_refused(case):
    with pytest.raises(JsonError) as caught:
        parse_json(bytes.fromhex(case["hex"]))
    assert caught.value.reason == case["reason"]


@pytest.mark.parametrize("case", SPEC["numbers"], ids=lambda case: case["bits"])
def test_a_double_is_written_as_ecmascript_writes_it(case):
    assert canonical_bytes(double(case["bits"])).decode() == case["canonical"]


@pytest.mark.parametrize("bits", SPEC["unwritable_numbers"])
def test_what_is_not_finite_is_not_written(bits):
    with pytest.raises(JsonError):
        canonical_bytes(double(bits))


@pytest.mark.parametrize(
    "value",
    [
        LARGEST_INTEGER + 1,
        -LARGEST_INTEGER - 1,
        "\ud800",
        {"\udc00": 1},
        {1: 2},
        b"bytes",
        object(),
        {1, 2},
    ],
)
def test_what_the_reader_would_refuse_is_not_written(value):
    with pytest.raises(JsonError):
        canonical_bytes({"a": [value]})


def test_as_many_levels_are_written_as_are_read():
    value: list = []
    for _ in range(63):
        value = [value]
    assert parse_json(canonical_bytes(value)) == value
    with pytest.raises(JsonError, match="64 levels"):
        canonical_bytes([value])


@given(values)
def test_the_canonical_form_is_read_back_and_is_its_own(value):
    form = canonical_bytes(value)
    assert json.loads(form, parse_int=float) == value
    # An integer without a fraction beyond 2^53 is a double whose digits are no integer that counts.
    if not any(isinstance(one, float) and abs(one) > LARGEST_INTEGER for one in leaves(value)):
        assert canonical_bytes(parse_json(form)) == form


def leaves(value):
    if isinstance(value, dict | list):
        for one in value.values() if isinstance(value, dict) else value:
            yield from leaves(one)
    else:
        yield value


@given(values, st.sampled_from([None, 1, "\t"]), st.booleans())
def test_white_space_escapes_and_order_make_no_difference(value, indent, ascii_only):
    text = json.dumps(value, indent=indent, ensure_ascii=ascii_only)
    large = any(isinstance(one, float) and one % 1 == 0 and abs(one) > LARGEST_INTEGER for one in leaves(value))
    if not large:
        assert canonical_bytes(parse_json(text)) == canonical_bytes(value)


@given(st.text(st.sampled_from('{}[]",:\\u0123456789aeEtrueflsn.-+ \n\ud83d\ude00\ufeff'), max_size=40) | st.text())
def test_any_text_is_read_or_refused_and_never_more_than_json_allows(text):
    try:
        value = parse_json(text)
    except JsonError as error:
        place = error.line, error.column
    else:
        assert json.loads(text) == value
        return
    assert min(place) >= 1


@given(st.binary(max_size=60))
def test_any_bytes_are_read_or_refused(data):
    try:
        value = parse_json(data)
    except JsonError:
        return
    assert json.loads(data) == value


@given(st.lists(texts, max_size=6))
def test_keys_sort_by_utf16_units(keys):
    units = [[key.encode("utf-16-be")[n : n + 2] for n in range(0, len(key.encode("utf-16-be")), 2)] for key in keys]
    assert sorted(keys, key=utf16_units) == [key for _, key in sorted(zip(units, keys, strict=True))]


@pytest.mark.slow
def test_random_numbers_are_written_as_an_engine_writes_them():
    chance = random.Random(7)
    drawn = [chance.randbytes(8).hex() for _ in range(NUMBERS)]
    drawn += [
        struct.pack(">d", chance.uniform(-1, 1) * 10.0 ** chance.randrange(-30, 30)).hex() for _ in range(NUMBERS)
    ]
    drawn = [bits for bits in drawn if math.isfinite(double(bits))]
    code = 'answer = given.map((bits) => JSON.stringify(Buffer.from(bits, "hex").readDoubleBE(0)));'
    wanted = run_javascript(code, drawn)
    assert [canonical_bytes(double(bits)).decode() for bits in drawn] == wanted


def draw_value(chance: random.Random, depth: int) -> object:
    kind = chance.randrange(8 if depth < 6 else 5)
    if kind == 0:
        return chance.choice([None, True, False])
    if kind == 1:
        return chance.randrange(-LARGEST_INTEGER, LARGEST_INTEGER)
    if kind == 2:
        return chance.choice([chance.random(), chance.uniform(-1e9, 1e9), 10.0 ** chance.randrange(-300, 300), -0.0])
    if kind in (3, 4):
        return draw_text(chance)
    many = chance.randrange(5)
    if kind == 5:
        return [draw_value(chance, depth + 1) for _ in range(many)]
    return {draw_text(chance): draw_value(chance, depth + 1) for _ in range(many)}


def draw_text(chance: random.Random) -> str:
    ranges = ((0, 0x80), (0x20, 0x7F), (0x80, 0x800), (0x2020, 0x2030), (0xE000, 0x10000), (0x10000, 0x110000))
    return "".join(chr(chance.randrange(*chance.choice(ranges))) for _ in range(chance.randrange(6)))


@pytest.mark.slow
def test_random_documents_have_the_form_that_an_engine_gives_them():
    chance = random.Random(11)
    drawn = [json.dumps(draw_value(chance, 0), ensure_ascii=chance.random() < 0.5) for _ in range(DOCUMENTS)]
    wanted = run_javascript(f"{CANONICAL} answer = given.map((text) => canonical(JSON.parse(text)));", drawn)
    assert [canonical_bytes(parse_json(text)).decode() for text in drawn] == wanted
