"""``python -m zddc`` is the ``zddc`` command."""

from zddc.cli import main

main()
