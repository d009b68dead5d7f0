"""``python -m zddc``."""

from zddc.cli import main

main()
