import pytest

from zddc.addresses import hide_password


@pytest.mark.parametrize(
    ("address", "shown"),
    [
        ("http://localhost:8000/v1", "http://localhost:8000/v1"),
        ("http://user:the-canary@localhost:8000/v1", "http://localhost:8000/v1"),
        ("https://the-canary@host", "https://host"),
        ("http://user:the@canary@host/a@b", "http://host/a@b"),
        ("http://host/a@b?c@d", "http://host/a@b?c@d"),
        ("http://host?mail=a@b", "http://host?mail=a@b"),
        ("two: http://u:p@a/x, http://u:p@b/y", "two: http://a/x, http://b/y"),
        ("somebody@example.org", "somebody@example.org"),
        ("", ""),
    ],
)
def test_an_address_is_shown_without_user_and_password(address, shown):
    assert hide_password(address) == shown
