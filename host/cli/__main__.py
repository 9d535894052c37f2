"""``python -m host.cli``, the same as the command ``lobby``."""

from host.cli.commands import main

main()
