"""``chancery serve``: the processes of one machine, in their order.

One role alone runs the same processes, only fewer of them: whoever needs what
another role gives (a worker the signer, say) waits for it and is not ready.
"""

import json
import os
import shutil
import socket
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Final, NoReturn

from chancery import settings_gateway, settings_va
from chancery.app.roles import ServeRole
from chancery.app.signer_process import signer_command, signer_pulse, socket_path
from chancery.domain.errors import Unavailable
from chancery.server import standing_in, supervisor
from chancery.server.sockets import StartFailed, open_shared
from chancery.server.supervisor import Child, StandIn
from chancery.settings import Listen, Settings, load

Words = tuple[str, ...]

_RUN: Final = (sys.executable, "-m", "chancery.app.child")

_BACK_OFF_S: Final = (0.0, 0.1, 0.5, 1.0, 2.0)
"""Short even at its longest: while the signer is away, nothing is issued."""


def supervise(config: Path, role: ServeRole = ServeRole.ALL) -> NoReturn:
    """Run what *role* names until told to stop: signer, workers and jobs, or one of them.

    Never returns: this process becomes the supervisor.  BadRequest for a bad
    configuration, Unavailable where it cannot listen.
    """
    if role is ServeRole.RA:
        _supervise_ra(config)
    if role is ServeRole.VA:
        _supervise_va(config)
    settings = load(config)
    children: list[Child] = []
    sockets: list[tuple[socket.socket, ...]] = []
    path = str(config.resolve())
    if role in _WITH_WEB:
        sockets = _open(settings.listen)
    os.chdir(config.resolve().parent)  # so that the socket's path can be short for all of them
    # One heap for all threads of a process: each further one keeps what it once needed.
    os.environ.setdefault("MALLOC_ARENA_MAX", "1")
    # What a password hash needs (19 MiB) goes back at once: glibc would raise this by itself.
    os.environ.setdefault("MALLOC_MMAP_THRESHOLD_", str(4 * 1024 * 1024))
    if role in _WITH_SIGNER:
        children.append(_signer(settings, sockets))
    if role in _WITH_WEB:
        os.environ["PROMETHEUS_MULTIPROC_DIR"] = str(_metrics(settings.signer.socket.parent))
        cold = ("--cold",) if role is ServeRole.ALL else ("--cold", "--joined")
        children += [
            _worker(path, number, pair, cold) for number, pair in enumerate(sockets, start=1)
        ]
    if role in _WITH_JOBS:
        command = (*_RUN, "chancery.app.jobs", path)
        children.append(Child("jobs", command, alongside=True, early=True))
    for one in (one for pair in sockets for one in pair):
        one.set_inheritable(True)  # through the exec; each child then gets its own alone
    _become(children)


_WITH_SIGNER: Final = (ServeRole.ALL, ServeRole.SIGNER)
_WITH_WEB: Final = (ServeRole.ALL, ServeRole.WEB)
_WITH_JOBS: Final = (ServeRole.ALL, ServeRole.JOBS)


def _supervise_ra(config: Path) -> NoReturn:
    """One process that relays, kept alive: its queue has one keeper."""
    listen = settings_gateway.load(config).listen
    path = str(config.resolve())
    places = [(listen.host, listen.http_port), (listen.host, listen.https_port)]
    (sockets,) = _opened(places, 1, "ra.toml")
    os.chdir(config.resolve().parent)
    for one in sockets:
        one.set_inheritable(True)
    fds = tuple(one.fileno() for one in sockets)
    command = (*_RUN, "chancery.app.relay_process", path, *map(str, fds))
    _become([Child("ra", command, fds=fds)])


def _supervise_va(config: Path) -> NoReturn:
    """Its own signer, and workers that answer OCSP alone."""
    host = settings_va.load(config)
    path = str(config.resolve())
    places = [(host.listen.host, host.listen.http_port)]
    sockets = _opened(places, host.listen.workers, "va.toml")
    os.chdir(config.resolve().parent)
    os.environ.setdefault("MALLOC_ARENA_MAX", "1")
    os.environ["PROMETHEUS_MULTIPROC_DIR"] = str(_metrics(host.signer.socket.parent))
    children = [
        Child("signer", tuple(signer_command(host.signer)), pulse=signer_pulse(host.signer))
    ]
    for number, (one,) in enumerate(sockets, start=1):
        one.set_inheritable(True)
        name, fd = f"va-{number}", one.fileno()
        command = (*_RUN, "chancery.app.va_process", path, str(fd), name)
        children.append(Child(name, command, fds=(fd,), alongside=number > 1))
    _become(children)


def _open(listen: Listen) -> list[tuple[socket.socket, ...]]:
    places = [(listen.host, listen.http_port), (listen.host, listen.https_port)]
    return _opened(places, listen.workers, "chancery.toml")


def _opened(
    places: Sequence[tuple[str, int]], copies: int, file: str
) -> list[tuple[socket.socket, ...]]:
    try:
        return [tuple(pair) for pair in open_shared(places, copies)]
    except StartFailed as error:
        raise Unavailable(
            str(error),
            field="listen",
            rule="listen.free",
            remedy=f"end what listens there, or choose other ports in {file}",
        ) from error


def _signer(settings: Settings, sockets: Sequence[Sequence[socket.socket]]) -> Child:
    """The signer.  One that waits for custodians may take for ever, and somebody says so."""
    command = tuple(signer_command(settings.signer))
    pulse = signer_pulse(settings.signer)
    if not settings.signer.custodians:
        return Child("signer", command, pulse=pulse)
    stand_in = _stand_in(settings, sockets) if sockets else None
    return Child("signer", command, pulse=pulse, start_timeout_s=None, stand_in=stand_in)


def _stand_in(settings: Settings, sockets: Sequence[Sequence[socket.socket]]) -> StandIn:
    http, https = ([pair[n].fileno() for pair in sockets] for n in (0, 1))
    plan = {
        "http": http,
        "https": https,
        "unseal_socket": str(socket_path(settings.signer.unseal_socket)),
        "certificate": str(settings.tls.certificate),
        "key": str(settings.tls.key),
    }
    argv = (sys.executable, "-E", "-s", "-P", standing_in.__file__, json.dumps(plan))
    return StandIn(argv, (*http, *https))


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
        "early": child.early,
        "start_timeout_s": child.start_timeout_s,
        "stand_in": None if child.stand_in is None else (child.stand_in.argv, child.stand_in.fds),
    }


def _metrics(run: Path) -> Path:
    """An empty directory in which the workers of this run keep their counters."""
    directory = run / "metrics"
    shutil.rmtree(directory, ignore_errors=True)
    directory.mkdir(mode=0o700, parents=True)
    return directory


def _worker(config: str, number: int, sockets: Sequence[socket.socket], cold: Words) -> Child:
    """The first one settles what a crash left, before anybody else touches the record."""
    fds = tuple(one.fileno() for one in sockets)
    name = f"worker-{number}"
    command = (*_RUN, "chancery.app.worker", config, *map(str, fds), name)
    first = cold if number == 1 else ()
    return Child(name, command, first=first, fds=fds, alongside=number > 2, early=True)
