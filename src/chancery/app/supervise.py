"""``chancery serve``: the processes of one machine, in their order."""

import os
import sys
from pathlib import Path
from typing import Final

from chancery.app.signer_process import signer_command
from chancery.domain.errors import CAError
from chancery.server.supervisor import Child, Supervisor
from chancery.settings import load

_BACK_OFF_S: Final = (0.0, 0.1, 0.5, 1.0, 2.0)
"""Short even at its longest: while the signer is away, nothing is issued."""


def supervise(config: Path) -> int:
    """Run signer, worker and jobs until told to stop; 2 for a bad configuration."""
    try:
        settings = load(config)
    except CAError as error:
        print(f"chancery: {error}", file=sys.stderr)
        return 2
    path = str(config.resolve())
    os.chdir(config.resolve().parent)  # so that the socket's path can be short for all of them
    children = [
        Child("signer", tuple(signer_command(settings.signer))),
        Child("worker", (sys.executable, "-m", "chancery.app.worker", path)),
        Child("jobs", (sys.executable, "-m", "chancery.app.jobs", path)),
    ]
    return Supervisor(children, back_off_s=_BACK_OFF_S).run()
