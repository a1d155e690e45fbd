"""Starting all or nothing, stopping without losing what was begun."""

import asyncio
import signal
import socket
import subprocess
import sys
import textwrap
import threading
import time

import pytest
from listening import Wire, echo, serving

from chancery.server.listeners import Listener, StartFailed, bind

SERVE = textwrap.dedent(
    """
    import asyncio, sys
    from chancery.server.listeners import Listener, StartFailed, serve

    async def app(scope, receive, send):
        await asyncio.sleep(0.5)
        headers = [(b"content-length", b"4")]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": b"done"})

    try:
        listeners = [Listener("127.0.0.1", int(port)) for port in sys.argv[1:]]
        serve(app, listeners, ready=lambda urls: print("ready", *urls, flush=True))
    except StartFailed as error:
        sys.exit(f"chancery: {error}")
    print("cleaned up")
    """
)


def start(*ports: int) -> "subprocess.Popen[str]":
    return subprocess.Popen(
        [sys.executable, "-c", SERVE, *map(str, ports)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def test_an_occupied_port_opens_none(free_port: int) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(StartFailed, match=f"cannot listen on 127.0.0.1 port {port}: .*in use"):
            bind([Listener("127.0.0.1", free_port), Listener("127.0.0.1", port)])
    socket.create_server(("127.0.0.1", free_port)).close()  # it was let go


def test_an_occupied_port_ends_the_process(free_port: int) -> None:
    """Incident I16: a door that did not open, in a service that said it had started."""
    with (
        socket.create_server(("127.0.0.1", 0)) as taken,
        start(free_port, taken.getsockname()[1]) as process,
    ):
        out, err = process.communicate(timeout=20)
    assert process.returncode == 1
    assert err.startswith("chancery: cannot listen on 127.0.0.1 port")
    assert "ready" not in out
    assert "Traceback" not in err


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_finishes_what_was_begun(number: signal.Signals) -> None:
    with start(0) as process:
        assert process.stdout is not None
        url = process.stdout.readline().split()[1]
        with Wire(int(url.rpartition(":")[2])) as wire:
            wire.send(b"GET / HTTP/1.1\r\nhost: x\r\n\r\n")
            time.sleep(0.1)
            process.send_signal(number)
            assert wire.rest().endswith(b"done")
        out, err = process.communicate(timeout=20)
    assert (process.returncode, out) == (0, "cleaned up\n"), err


def test_an_idle_connection_does_not_delay_the_end() -> None:
    with start(0) as process:
        assert process.stdout is not None
        url = process.stdout.readline().split()[1]
        with Wire(int(url.rpartition(":")[2])):
            began = time.monotonic()
            process.terminate()
            process.communicate(timeout=20)
        assert time.monotonic() - began < 5
    assert process.returncode == 0


def test_many_connections_at_once() -> None:
    with serving(echo, [Listener("127.0.0.1", 0)]) as (_, (port,)):
        answers: list[bytes] = []

        def ask() -> None:
            with Wire(port) as wire:
                for _ in range(20):
                    wire.send(b"GET /x HTTP/1.1\r\nhost: x\r\n\r\n")
                    answers.append(wire.until(b"!"))

        threads = [threading.Thread(target=ask) for _ in range(20)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert len(answers) == 400
    assert all(answer.endswith(b"GET /x !") for answer in answers)


@pytest.fixture
def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        return int(probe.getsockname()[1])


def test_no_loop_is_left_behind() -> None:
    with serving(echo, [Listener("127.0.0.1", 0)]):
        pass
    with pytest.raises(RuntimeError):
        asyncio.get_running_loop()
