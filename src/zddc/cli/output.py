"""Output of the commands, in characters that a terminal neither interprets nor hides."""

from rich.text import Text

from zddc import console


def print_line(line: str) -> None:
    """Print a line on standard output."""
    console.out.print(Text(escape(line)))


def escape(text: str) -> str:
    """Escape characters that a terminal would interpret, hide or fail to encode."""
    return "".join(letter if letter.isprintable() else letter.encode("unicode_escape").decode() for letter in text)
