"""Listening sockets, opened before anything else: all of them or none.

Standard library only: the supervisor opens them and hands them to its workers,
so that no connection is refused while a worker is being replaced.
"""

import socket
from collections.abc import Sequence
from typing import Final

BACKLOG: Final = 2048


class StartFailed(Exception):
    """A listener could not be opened; none was.  The message is for the operator."""


def open_listening(host: str, port: int, *, shared: bool = False) -> socket.socket:
    """Listen on *port* (0: any free one); OSError if it is taken.

    *shared*: further sockets of this user may listen there too.
    """
    family, kind, protocol, _, address = socket.getaddrinfo(
        host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
    )[0]
    opened = socket.socket(family, kind, protocol)
    try:
        opened.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if shared:
            opened.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        opened.bind(address)
        opened.listen(BACKLOG)  # now, so that a second server fails here and not later
        opened.setblocking(False)  # noqa: FBT003
    except OSError:
        opened.close()
        raise
    return opened


def open_all(places: Sequence[tuple[str, int]]) -> list[socket.socket]:
    """Open every listener, or raise StartFailed and leave none open (incident I16)."""
    opened: list[socket.socket] = []
    for host, port in places:
        try:
            opened.append(open_listening(host, port))
        except OSError as error:
            for one in opened:
                one.close()
            raise StartFailed(
                f"cannot listen on {host} port {port}: {error.strerror or error}"
            ) from error
    return opened


def open_shared(places: Sequence[tuple[str, int]], copies: int) -> list[list[socket.socket]]:
    """For each of *copies* workers, a listener of its own at every place.

    The kernel spreads connections over the copies.  Where workers share one
    socket, the first to wake takes a burst of connections for itself.
    """
    # Without sharing first: else two services of one user would split a port between them.
    for probe in open_all(places):
        probe.close()
    try:
        return [
            [open_listening(host, port, shared=True) for host, port in places]
            for _ in range(copies)
        ]
    except OSError as error:
        raise StartFailed(f"cannot listen: {error.strerror or error}") from error
