"""``chancery serve``: the processes of one machine, in their order."""

import json
import os
import shutil
import socket
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Final, NoReturn

from chancery.app.signer_process import signer_command, signer_pulse
from chancery.domain.errors import Unavailable
from chancery.server import supervisor
from chancery.server.sockets import StartFailed, open_shared
from chancery.server.supervisor import Child
from chancery.settings import load

_BACK_OFF_S: Final = (0.0, 0.1, 0.5, 1.0, 2.0)
"""Short even at its longest: while the signer is away, nothing is issued."""


def supervise(config: Path) -> NoReturn:
    """Run signer, workers and jobs until told to stop.

    Never returns: this process becomes the supervisor.  BadRequest for a bad
    configuration, Unavailable where it cannot listen.
    """
    settings = load(config)
    listen = settings.listen
    places = [(listen.host, listen.http_port), (listen.host, listen.https_port)]
    try:
        sockets = open_shared(places, listen.workers)
    except StartFailed as error:
        raise Unavailable(
            str(error),
            field="listen",
            rule="listen.free",
            remedy="end what listens there, or choose other ports in chancery.toml",
        ) from error
    path = str(config.resolve())
    os.chdir(config.resolve().parent)  # so that the socket's path can be short for all of them
    # One heap for all threads of a process: each further one keeps what it once needed.
    os.environ.setdefault("MALLOC_ARENA_MAX", "1")
    # What a password hash needs (19 MiB) goes back at once: glibc would raise this by itself.
    os.environ.setdefault("MALLOC_MMAP_THRESHOLD_", str(4 * 1024 * 1024))
    os.environ["PROMETHEUS_MULTIPROC_DIR"] = str(_metrics(settings.signer.socket.parent))
    children = [
        Child(
            "signer", tuple(signer_command(settings.signer)), pulse=signer_pulse(settings.signer)
        ),
        *(_worker(path, number, pair) for number, pair in enumerate(sockets, start=1)),
        Child("jobs", (sys.executable, "-m", "chancery.app.jobs", path), alongside=True),
    ]
    for one in (one for pair in sockets for one in pair):
        one.set_inheritable(True)  # through the exec; each child then gets its own alone
    _become(children)


def _become(children: Sequence[Child]) -> NoReturn:
    plan = {"back_off_s": _BACK_OFF_S, "children": [_planned(child) for child in children]}
    words = ["-E", "-s", "-P", supervisor.__file__, json.dumps(plan)]
    os.execv(sys.executable, [sys.executable, *words])  # noqa: S606 - no shell is wanted


def _planned(child: Child) -> dict[str, object]:
    pulse = None if child.pulse is None else (child.pulse.socket, child.pulse.word.hex())
    return {
        "name": child.name,
        "argv": child.argv,
        "first": child.first,
        "fds": child.fds,
        "pulse": pulse,
        "alongside": child.alongside,
    }


def _metrics(run: Path) -> Path:
    """An empty directory in which the workers of this run keep their counters."""
    directory = run / "metrics"
    shutil.rmtree(directory, ignore_errors=True)
    directory.mkdir(mode=0o700, parents=True)
    return directory


def _worker(config: str, number: int, sockets: Sequence[socket.socket]) -> Child:
    """The first one settles what a crash left, before anybody else touches the record."""
    fds = tuple(one.fileno() for one in sockets)
    name = f"worker-{number}"
    command = (sys.executable, "-m", "chancery.app.worker", config, *map(str, fds), name)
    first = ("--cold",) if number == 1 else ()
    return Child(name, command, first=first, fds=fds, alongside=number > 2)
