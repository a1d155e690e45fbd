"""What is answered without a framework: usual OCSP requests, small public files, submissions."""

import asyncio
import contextlib
from pathlib import Path

from chancery.adapters.clock import SystemClock
from chancery.protocols.ocsp.quick import OcspQuick
from chancery.server.lane import Lane, Quick, Submissions
from chancery.server.listeners import Fast
from chancery.server.memo import FileMemo
from chancery.server.metrics import Metrics
from chancery.services.status.desk import Desk
from chancery.services.status.kept import KeptAnswer
from chancery.services.status.window import Loop, Then
from chancery.signer.channel import SignerChannel


def fast_lane(
    desk: Desk,
    clock: SystemClock,
    metrics: Metrics,
    memo: FileMemo,
    signer: Path,
    intake: Submissions | None = None,
) -> Fast:
    """The fast lane of one process; *desk* and *intake* open with its event loop.

    *signer*: a socket.
    """
    quick: dict[bytes, Quick] = {b"ocsp": OcspQuick(desk, clock), b"crl": memo, b"ca": memo}

    def open_desk(loop: asyncio.AbstractEventLoop) -> None:
        turns = Loop(loop.call_soon, SignerChannel(loop, signer))
        desk.open(lambda told: _hand(loop, told), turns)
        if intake is not None:
            intake.open(loop)

    return Fast(Lane(quick, metrics.count_quick, intake), open_desk)


def _tell(told: list[tuple[Then, KeptAnswer | None]]) -> None:
    """On the event loop: one wake-up for a batch."""
    for then, answer in told:
        then(answer)


def _hand(loop: asyncio.AbstractEventLoop, told: list[tuple[Then, KeptAnswer | None]]) -> None:
    with contextlib.suppress(RuntimeError):  # the loop has ended, and with it who asked
        loop.call_soon_threadsafe(_tell, told)
