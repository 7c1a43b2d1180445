"""`python -m forge_tui` is `forge-tui`."""

from forge_tui.cli import main

main()
