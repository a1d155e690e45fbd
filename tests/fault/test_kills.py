"""kill -9 at random moments of issuance: nothing acknowledged is lost, nothing unrecorded signed.

Each round serves one instance, loads it from several threads, and kills the
worker, the signer, the jobs process or everything at a random moment.  After
the last round the books are compared: what clients were told, what the
database holds, what the signer's journal holds, and the audit log.

With 0 failures in N kills the rate of failure is below 3/N with 95 %
confidence.  ``CHANCERY_KILLS`` sets N: CI runs 200, ``make kill-test`` 10,000.
"""

import os
import random
import signal
import threading
import time

import pytest

from services.books import Client, compare_books
from services.instance import Instance

pytestmark = pytest.mark.fault

KILLS = int(os.environ.get("CHANCERY_KILLS", "200"))
CLIENTS = 4
ROUND = 25  # kills between two comparisons of the books


TARGETS = ("chancery.app.worker", "chancery.signer", "chancery.app.jobs", "everything")
WEIGHTS = (3, 3, 2, 1)  # a start from nothing takes as long as three of the others


def kill_something(instance: Instance, dice: random.Random) -> None:
    (target,) = dice.choices(TARGETS, WEIGHTS)
    if target == "everything":
        instance.kill()
    elif (pid := instance.child(target)) is not None:
        os.kill(pid, signal.SIGKILL)


def revive(instance: Instance) -> None:
    """Wait until it serves again; start it if nothing is left.

    ``serve`` gives up when a child dies before everything was up the first
    time (all or nothing): then somebody starts it again, as an init system would.
    """
    for _ in range(5):
        if instance.process is not None and instance.process.poll() is not None:
            instance.kill()
        if instance.process is None:
            instance.launch()
        if instance.becomes_ready():
            return
    raise AssertionError(f"it does not come back: {instance.log.read_text()[-3000:]}")


def settle(instance: Instance) -> None:
    """Until every child is up: a clean stop is what comes next."""
    for _ in range(5):
        revive(instance)
        pids = [instance.child(target) for target in TARGETS[:-1]]
        time.sleep(1)
        if None not in pids and instance.process and instance.process.poll() is None:
            return
    raise AssertionError(f"it does not settle: {instance.log.read_text()[-3000:]}")


def test_nothing_is_lost_and_nothing_unrecorded(automatic: Instance) -> None:
    seed = int(os.environ.get("CHANCERY_SEED", time.time_ns()))
    dice = random.Random(seed)
    print(f"seed {seed}")
    acknowledged: dict[str, str] = {}
    attempts = kills = 0
    while kills < KILLS:
        stop = threading.Event()
        clients = [Client(automatic, stop) for _ in range(CLIENTS)]
        threads = [threading.Thread(target=client.run) for client in clients]
        automatic.start()
        for thread in threads:
            thread.start()
        try:
            for _ in range(min(ROUND, KILLS - kills)):
                time.sleep(dice.uniform(0.0, 0.3))
                kill_something(automatic, dice)
                kills += 1
                revive(automatic)
        finally:
            stop.set()
            for thread in threads:
                thread.join(timeout=30)
        settle(automatic)
        automatic.stop()
        for client in clients:
            assert not client.refused, client.refused[:3]
            acknowledged |= client.acknowledged
            attempts += client.attempts
        compare_books(automatic, acknowledged)
    print(f"{kills} kills, {attempts} attempts, {len(acknowledged)} acknowledged")
    assert len(acknowledged) > kills / 4, "the load was too light to prove anything"
