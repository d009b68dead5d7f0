"""``python -m weakspot`` is the ``weakspot`` command."""

from weakspot.cli import main

main()
