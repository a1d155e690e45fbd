"""The family of processes: started in order, kept alive, stopped together."""

import io
import json
import os
import signal
import subprocess
import sys
import textwrap
import threading
import time
from pathlib import Path

import pytest

from chancery.server.supervisor import Child, Pulse, Supervisor

SUPERVISE = textwrap.dedent(
    """
    import json, sys
    from chancery.server.supervisor import Child, Supervisor

    children = [
        Child(name, (sys.executable, "-c", code), start_timeout_s=3)
        for name, code in json.loads(sys.argv[1]).items()
    ]
    sys.exit(Supervisor(children, grace_s=3, back_off_s=(0.05, 0.1)).run())
    """
)


def child(name: str, *, before: str = "", after: str = "time.sleep(60)") -> str:
    """A process that says it is ready and, when told to stop, that it stopped."""
    return textwrap.dedent(
        f"""
        import os, signal, sys, time
        def stop(*_):
            print("{name} stopped", flush=True)
            sys.exit(0)
        signal.signal(signal.SIGTERM, stop)
        {before}
        print("ready {name}", os.getpid(), flush=True)
        {after}
        """
    )


def supervise(**children: str) -> "subprocess.Popen[str]":

    return subprocess.Popen(
        [sys.executable, "-c", SUPERVISE, json.dumps(children)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def read_ready(process: "subprocess.Popen[str]", name: str) -> int:
    """Read until *name* is ready; return its process id."""
    assert process.stdout is not None
    for line in process.stdout:
        if line.startswith(f"ready {name} "):
            return int(line.split()[-1])
    raise AssertionError(f"{name} was never ready")


def alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return "Z" not in Path(f"/proc/{pid}/stat").read_text().split()[2]


def gone(pid: int, within_s: float = 5) -> bool:
    deadline = time.monotonic() + within_s
    while alive(pid) and time.monotonic() < deadline:
        time.sleep(0.05)
    return not alive(pid)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_starts_in_order_and_stops_in_reverse(number: signal.Signals) -> None:
    with supervise(
        signer=child("signer", before="time.sleep(0.3)"), worker=child("worker")
    ) as family:
        signer, worker = read_ready(family, "signer"), read_ready(family, "worker")
        assert signer < worker
        family.send_signal(number)
        out, err = family.communicate(timeout=20)
    assert out.splitlines()[-2:] == ["worker stopped", "signer stopped"]
    assert (family.returncode, err) == (0, "")


def test_readiness_can_be_told_in_other_words() -> None:
    told, out = [], io.StringIO()

    def ready(name: str, line: str) -> None:
        told.append((name, line.split()[:2]))
        os.kill(os.getpid(), signal.SIGTERM)

    one = Child("signer", (sys.executable, "-c", child("signer")))
    assert Supervisor([one], grace_s=3, out=out, ready=ready).run() == 0
    assert told == [("signer", ["ready", "signer"])]
    assert out.getvalue() == "signer stopped\n"


def test_a_child_that_dies_is_started_again() -> None:
    with supervise(signer=child("signer"), worker=child("worker")) as family:
        read_ready(family, "signer")
        first = read_ready(family, "worker")
        for _ in range(3):
            os.kill(first, signal.SIGKILL)
            second = read_ready(family, "worker")
            assert second != first
            first = second
        family.terminate()
        _, err = family.communicate(timeout=20)
    assert family.returncode == 0
    assert err.count("worker ended with exit code -9; starting it again") == 3


BEATING = """
    import socket, threading
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(sys.argv[1])
    listener.listen(1)
    def answer():
        while True:
            one, _ = listener.accept()
            if {deaf}: threads.append(one); continue
            one.recv(5)
            one.sendall(b"!")
            one.close()
    threads = []
    threading.Thread(target=answer, daemon=True).start()
"""


@pytest.mark.parametrize("way", ["stopped", "deaf"])
def test_one_that_hangs_is_killed_and_started_again(tmp_path: Path, way: str) -> None:
    """Stopped: the kernel takes connections in its place, until as many wait as may."""
    path = tmp_path / "pulse"
    before = BEATING.format(deaf=way == "deaf").replace(
        "    listener.bind",
        "    os.path.exists(sys.argv[1]) and os.unlink(sys.argv[1])\n    listener.bind",
    )
    code = child("signer", before=textwrap.dedent(before).replace("\n", "\n        "))
    told: list[str] = []
    pids: list[int] = []

    def ready(_: str, line: str) -> None:
        pids.append(int(line.rsplit(maxsplit=1)[-1]))
        if len(pids) == 2:
            os.kill(os.getpid(), signal.SIGTERM)
        elif way == "stopped":
            threading.Timer(0.5, os.kill, (pids[0], signal.SIGSTOP)).start()

    one = Child(
        "signer",
        (sys.executable, "-c", code, str(path)),
        pulse=Pulse(str(path), b"alive", every_s=0.1, patience_s=0.5),
    )
    begun = time.monotonic()
    family = Supervisor(
        [one], grace_s=3, back_off_s=(0.05,), out=io.StringIO(), log=told.append, ready=ready
    )
    assert family.run() == 0
    assert told == [
        "chancery: signer gave no answer for 0.5 s: killed",
        "chancery: signer ended with exit code -9; starting it again",
    ]
    assert not alive(pids[0])
    assert time.monotonic() - begun < 10


def test_one_with_a_pulse_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "pulse"
    code = child(
        "signer", before=textwrap.dedent(BEATING.format(deaf=False)).replace("\n", "\n        ")
    )
    told: list[str] = []

    def ready(_: str, __: str) -> None:
        threading.Timer(1.5, os.kill, (os.getpid(), signal.SIGTERM)).start()

    one = Child(
        "signer",
        (sys.executable, "-c", code, str(path)),
        pulse=Pulse(str(path), b"alive", every_s=0.05, patience_s=0.5),
    )
    assert Supervisor([one], grace_s=3, out=io.StringIO(), log=told.append, ready=ready).run() == 0
    assert told == []


@pytest.mark.parametrize(
    ("worker", "reason"),
    [
        ("raise SystemExit(7)", "worker ended with exit code 7 before it was ready"),
        ("import time; time.sleep(60)", "worker was not ready within 3 s"),
    ],
)
def test_one_that_cannot_start_ends_all(worker: str, reason: str) -> None:
    with supervise(signer=child("signer"), worker=worker) as family:
        signer = read_ready(family, "signer")
        out, err = family.communicate(timeout=20)
    assert family.returncode == 1
    assert reason in err
    assert "signer stopped" in out
    assert not alive(signer)


def test_one_that_does_not_listen_is_killed() -> None:
    deaf = child("deaf", before="signal.signal(signal.SIGTERM, signal.SIG_IGN)")
    with supervise(deaf=deaf) as family:
        pid = read_ready(family, "deaf")
        family.terminate()
        family.communicate(timeout=20)
    assert family.returncode == 0
    assert not alive(pid)


@pytest.mark.skipif(sys.platform != "linux", reason="PR_SET_PDEATHSIG is Linux's")
def test_none_outlives_a_killed_supervisor() -> None:
    with supervise(signer=child("signer"), worker=child("worker")) as family:
        pids = [read_ready(family, "signer"), read_ready(family, "worker")]
        family.kill()
        family.communicate(timeout=20)
    assert all(gone(pid) for pid in pids)


def test_output_of_any_length_passes() -> None:
    with supervise(
        loud=child("loud", after="print('x' * 3_000_000, flush=True); time.sleep(60)")
    ) as family:
        read_ready(family, "loud")
        assert family.stdout is not None
        assert len(family.stdout.readline()) == 3_000_001
        family.terminate()
        family.communicate(timeout=20)
    assert family.returncode == 0


def test_imports_nothing_heavy() -> None:
    code = (
        "import sys, chancery.server.supervisor as s; "
        "print([m for m in ('uvicorn', 'starlette', 'sqlalchemy', 'cryptography', 'fastapi') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"


def test_an_early_one_is_loaded_before_its_turn_and_waits_for_it(tmp_path: Path) -> None:
    mark, told = str(tmp_path / "loaded"), []
    late = f"open({mark!r}, 'w').close(); sys.stdin.buffer.read(); print('turn', flush=True)"
    patient = f"exec({f'while not os.path.exists({mark!r}): time.sleep(0.01)'!r})"
    children = [
        Child("signer", (sys.executable, "-c", child("signer", before=patient))),
        Child("worker", (sys.executable, "-c", child("worker", before=late)), early=True),
    ]

    def ready(name: str, _: str) -> None:
        told.append(name)
        if name == "worker":
            os.kill(os.getpid(), signal.SIGTERM)

    out = io.StringIO()
    assert Supervisor(children, grace_s=3, out=out, ready=ready).run() == 0
    assert told == ["signer", "worker"]
    assert out.getvalue().splitlines() == ["turn", "worker stopped", "signer stopped"]


def test_when_the_first_fails_the_early_ones_end_too(tmp_path: Path) -> None:
    mark = tmp_path / "turned"
    late = f"sys.stdin.buffer.read(); open({str(mark)!r}, 'w')"
    children = [
        Child("signer", (sys.executable, "-c", "import sys, time; time.sleep(0.3); sys.exit(3)")),
        Child("worker", (sys.executable, "-c", child("worker", before=late)), early=True),
    ]
    said: list[str] = []
    assert Supervisor(children, grace_s=3, out=io.StringIO(), log=said.append).run() == 1
    assert said == ["chancery: signer ended with exit code 3 before it was ready"]
    assert not mark.exists()
