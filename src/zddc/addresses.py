"""Shows addresses of servers without the user and the password that they may hold."""

import re

_LOGIN = re.compile(r"(?<=://)[^/?#\s\"'<>]*@")


def hide_password(text: str) -> str:
    """Return an address, or a text with addresses in it, without users and passwords."""
    return _LOGIN.sub("", text)
