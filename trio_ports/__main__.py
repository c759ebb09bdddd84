"""`python -m trio_ports` is `trio-ports`."""

from .cli import main

main()
