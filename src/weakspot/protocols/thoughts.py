"""Parts the thoughts that a model wrote into its text from its answer."""

import re

_THOUGHTS = re.compile(r"\s*<(think|thinking)>(.*?)</\1>\s*", re.DOTALL)


def split_thoughts(text: str) -> tuple[str, str]:
    """Return the thoughts at the beginning of an answer, empty where there are none, and the answer without them."""
    match = _THOUGHTS.match(text)
    return (match[2].strip(), text[match.end() :]) if match else ("", text)
