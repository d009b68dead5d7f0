"""A bank account's number is known by its country's form and its check digits."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from weakspot.redaction.iban import IBAN
from weakspot.redaction.redact import scrub
from weakspot.redaction.rules import spans

# The examples of the registry.
VALID = [
    *("AT611904300234573201", "BE68539007547034", "CH9300762011623852957", "DE89370400440532013000"),
    *(
        "ES9121000418450200051332",
        "FR1420041010050500013M02606",
        "GB29NWBK60161331926819",
        "IT60X0542811101000000123456",
    ),
    *("LU280019400644750000", "MT84MALT011000012345MTLCAST001S", "NL91ABNA0417164300", "NO9386011117947"),
    *(
        "PL61109010140000071219812874",
        "SA0380000000608010167519",
        "SE4550000000058398257466",
        "TR330006100519786457841326",
    ),
]


def groups(number: str) -> str:
    return " ".join(number[n : n + 4] for n in range(0, len(number), 4))


def found(text: str) -> list[str]:
    return [text[span.start : span.end] for span in spans([IBAN], text)]


@pytest.mark.parametrize("number", VALID)
@pytest.mark.parametrize("text", ["{}", "IBAN: {}.", "{} and more", "an {}, BIC", "({})", "IBAN{{{}}}", "é {} ÉA"])
def test_a_number_is_found_as_people_write_it(number, text):
    for written in (number, groups(number), groups(number).replace(" ", "\u00a0"), groups(number).replace(" ", "-")):
        assert found(text.format(written)) == [written]
    assert found(text.format(number.lower())) == [number.lower()]


@given(st.sampled_from(VALID), st.data())
def test_a_wrong_digit_makes_it_another_number(number, data):
    place = data.draw(st.integers(2, len(number) - 1).filter(lambda n: number[n].isdigit()))
    other = data.draw(st.sampled_from([digit for digit in "0123456789" if digit != number[place]]))
    assert found(number[:place] + other + number[place + 1 :]) == []


@pytest.mark.parametrize("number", VALID)
def test_what_is_longer_shorter_or_of_no_country_is_none(number):
    for other in (number[:-1], f"{number}1", f"A{number}", f"ZZ{number[2:]}", number[2:], f"{number[:6]}/{number[6:]}"):
        assert found(other) == []


def test_an_order_number_of_the_same_shape_is_none():
    assert found("order DE12345678901234567890, part NL12ABCD1234567890, hash be12345678901234") == []


def test_it_has_a_placeholder_of_its_own():
    assert scrub(f"pay to {groups(VALID[3])}") == ("pay to <IBAN_1>", {"iban": 1})
