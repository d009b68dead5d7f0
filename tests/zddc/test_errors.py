"""A user's mistake says what is wrong with what, and what to do."""

from zddc.errors import UserError


def test_the_three_parts_make_one_line_and_stay_readable_apart():
    error = UserError("plan.pdf", "no such file", "check the path")
    assert str(error) == "plan.pdf: no such file; check the path"
    assert (error.thing, error.problem, error.remedy) == ("plan.pdf", "no such file", "check the path")


def test_a_password_in_an_address_is_not_shown():
    assert str(UserError("http://u:the-canary@host/v1", "is down", "start it")) == "http://host/v1: is down; start it"
