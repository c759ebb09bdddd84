"""A subject: ports of this package, in a process of its own; with a fault, if its argument is what a mutant does."""

import os
import sys
import time
from typing import Any

from testing.mutants import SMALL, Mutant, find_mutant
from testing.mutants.mutant import ports

from trio_ports.testing import Limits, serve_subject


def fail_on_null(fail: Any) -> Any:
    """A port with which the whole program fails when null is posted."""
    return ports(post_message=lambda port, message: fail() if message is None else port.real.post_message(message))


OWN = {
    "dies": Mutant(1, "exits", fail_on_null(lambda: os._exit(3))),
    "hangs": Mutant(1, "hangs", fail_on_null(lambda: time.sleep(60))),
    "is right": Mutant(1, "is right"),
    "talks": Mutant(1, "prints", fail_on_null(lambda: os.write(1, b"null!\n"))),
}

if __name__ == "__main__":
    (does,) = sys.argv[1:]
    mutant = OWN.get(does) or find_mutant(does)
    limits = Limits(**SMALL)
    serve_subject(mutant.make, name=does, limits=limits, listener_errors="log", version="1.2")
