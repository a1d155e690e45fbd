"""The processes of one machine: started in order, again when they die or hang, stopped together.

Imports nothing but the standard library, so that the parent stays small and
has nothing to fail by.
"""

import asyncio
import contextlib
import ctypes
import functools
import json
import os
import signal
import sys
import time
from asyncio.subprocess import PIPE, Process
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final, TextIO

READY: Final = "ready"
_UNAVAILABLE: Final = 7  # among the exit codes of ``chancery``
_BACK_OFF_S: Final = (0.5, 1.0, 2.0, 5.0, 10.0, 30.0)
_HEALTHY_S: Final = 60.0  # a child that lived so long starts again without delay
_LONGEST_LINE: Final = 1024 * 1024  # octets
_PR_SET_PDEATHSIG: Final = 1  # <sys/prctl.h>
_LIBC: Final = ctypes.CDLL(None)


class StartFailed(Exception):
    """A child did not become ready.  The message is for the operator."""


@dataclass(frozen=True, slots=True)
class Pulse:
    """How a child shows that it lives: a word on its Unix socket, and any answer to that.

    One that gives none for *patience_s* hangs: it is killed, and started again.
    """

    socket: str
    word: bytes
    every_s: float = 2.0
    patience_s: float = 8.0


@dataclass(frozen=True, slots=True)
class StandIn:
    """A process that answers for another one until that is ready the first time."""

    argv: tuple[str, ...]
    fds: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class Child:
    """A process to keep alive.

    It says that it is ready by a line on standard output that begins with
    *ready*; everything else it prints is passed on.  *first* are words added to
    its command the first time only, *fds* descriptors it inherits.  One that
    starts *alongside* does not wait until the one before it is ready.  An *early*
    one is started with the very first, loads its code meanwhile, and touches
    nothing before its standard input ends: that is its turn.  Without
    *start_timeout_s* it may take for ever: it waits for people.
    """

    name: str
    argv: tuple[str, ...]
    ready: str = READY
    start_timeout_s: float | None = 30.0
    first: tuple[str, ...] = ()
    fds: tuple[int, ...] = ()
    pulse: Pulse | None = None
    alongside: bool = False
    early: bool = False
    stand_in: StandIn | None = None


class Supervisor:
    """Starts *children* in order, each after the ones before are ready; stops them in reverse."""

    def __init__(
        self,
        children: Sequence[Child],
        *,
        grace_s: float = 20.0,
        back_off_s: Sequence[float] = _BACK_OFF_S,
        out: TextIO = sys.stdout,
        log: Callable[[str], None] = lambda line: print(line, file=sys.stderr, flush=True),
        ready: Callable[[str, str], None] | None = None,
    ) -> None:
        """*ready* gets a child's name and the line by which it said so; else that is passed on."""
        self._children = children
        self._grace_s = grace_s
        self._back_off_s = back_off_s
        self._out = out
        self._log = log
        self._ready = ready
        self._running: dict[str, Process] = {}
        self._stopping = asyncio.Event()

    def run(self) -> int:
        """Run until SIGTERM or SIGINT; return the exit code (1 if a child cannot start)."""
        return asyncio.run(self._run())

    async def _run(self) -> int:
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self._stopping.set)
        guards: list[asyncio.Task[None]] = []
        try:
            first, *later = _groups(self._children)
            early = {
                child.name: await self._spawn(child, child.first, stdin=PIPE)
                for group in later
                for child in group
                if child.early
            }
            for group in (first, *later):
                if self._stopping.is_set():
                    return 0
                started = await asyncio.gather(
                    *(self._first(child, early.get(child.name)) for child in group)
                )
                guards += [
                    asyncio.create_task(self._keep(child, process))
                    for child, process in zip(group, started, strict=True)
                ]
            stop = asyncio.create_task(self._stopping.wait())
            await asyncio.wait({stop, *guards}, return_when=asyncio.FIRST_COMPLETED)
            for guard in guards:
                if guard.done():
                    guard.result()  # a bug of ours: better to end with its traceback than to limp
            return 0
        except StartFailed as error:
            self._log(f"chancery: {error}")
            return 1
        finally:
            self._stopping.set()
            await self._stop()
            for guard in guards:
                guard.cancel()
            await asyncio.gather(*guards, return_exceptions=True)
            await self._stop()  # whatever a guard was about to start

    async def _first(self, child: Child, early: Process | None) -> Process:
        """Start *child* while its stand-in, if it has one, answers for it."""
        if early is not None:
            assert early.stdin is not None  # asked for above
            early.stdin.close()
            return await self._started(child, early)
        if child.stand_in is None:
            return await self._start(child, child.first)
        guest = await asyncio.create_subprocess_exec(
            *child.stand_in.argv,
            pass_fds=child.stand_in.fds,
            stdin=asyncio.subprocess.DEVNULL,
            start_new_session=True,
            preexec_fn=functools.partial(_die_with, os.getpid()),
        )
        try:
            return await self._start(child, child.first)
        finally:
            await self._end(guest)

    async def _start(self, child: Child, words: Sequence[str] = ()) -> Process:
        """Start *child* and wait until it is ready; StartFailed if it dies or is too slow."""
        return await self._started(child, await self._spawn(child, words))

    async def _spawn(
        self, child: Child, words: Sequence[str], stdin: int = asyncio.subprocess.DEVNULL
    ) -> Process:
        try:
            process = await asyncio.create_subprocess_exec(
                *child.argv,
                *words,
                pass_fds=child.fds,
                stdin=stdin,
                stdout=PIPE,
                start_new_session=True,  # Ctrl-C reaches us alone: we stop them in order
                preexec_fn=functools.partial(_die_with, os.getpid()),
                limit=_LONGEST_LINE,
            )
        except OSError as error:
            raise StartFailed(f"{child.name} cannot be started: {error}") from error
        self._running[child.name] = process
        return process

    async def _started(self, child: Child, process: Process) -> Process:
        """Wait until it is ready."""
        wait = asyncio.create_task(self._wait_ready(child, process))
        stop = asyncio.create_task(self._stopping.wait())
        done, _ = await asyncio.wait(
            {wait, stop}, timeout=child.start_timeout_s, return_when=asyncio.FIRST_COMPLETED
        )
        stop.cancel()
        if wait in done and wait.result():
            return process
        wait.cancel()
        if stop in done:
            return process
        if wait in done:
            code = await process.wait()
            raise StartFailed(f"{child.name} ended with exit code {code} before it was ready")
        raise StartFailed(f"{child.name} was not ready within {child.start_timeout_s:g} s")

    async def _wait_ready(self, child: Child, process: Process) -> bool:
        assert process.stdout is not None  # asked for above
        while line := await _line(process.stdout):
            text = line.decode(errors="replace")
            said = text.startswith(child.ready)
            if said and self._ready is not None:
                self._ready(child.name, text)
            else:
                self._pass_on(line)
            if said:
                return True
        return False

    async def _keep(self, child: Child, process: Process) -> None:
        """Pass *child*'s output on, and start it again whenever it ends."""
        failures = 0
        loop = asyncio.get_running_loop()
        while True:
            started = loop.time()
            assert process.stdout is not None
            watch = asyncio.create_task(self._watch(child, process))
            try:
                while some := await process.stdout.read(_LONGEST_LINE):
                    self._pass_on(some)
                code = await process.wait()
            finally:
                watch.cancel()
            if self._stopping.is_set():
                return
            failures = 0 if loop.time() - started >= _HEALTHY_S else failures
            self._log(f"chancery: {child.name} ended with exit code {code}; starting it again")
            while True:
                delay = self._back_off_s[min(failures, len(self._back_off_s) - 1)]
                failures += 1
                await asyncio.sleep(delay)
                if self._stopping.is_set():
                    return
                try:
                    process = await self._start(child)
                    break
                except StartFailed as error:
                    self._log(f"chancery: {error}; trying again")
                    await self._end(self._running.get(child.name))

    async def _watch(self, child: Child, process: Process) -> None:
        """Feel *child*'s pulse while it runs; kill it once it has none."""
        if (pulse := child.pulse) is None:
            return
        while process.returncode is None:
            await asyncio.sleep(pulse.every_s)
            if await _beats(pulse) or self._stopping.is_set() or process.returncode is not None:
                continue
            self._log(f"chancery: {child.name} gave no answer for {pulse.patience_s:g} s: killed")
            with contextlib.suppress(ProcessLookupError):
                process.kill()
            return

    async def _stop(self) -> None:
        """Stop in reverse order: the doors first, the signer they depend on last."""
        for child in reversed(self._children):
            await self._end(self._running.get(child.name))

    async def _end(self, process: Process | None) -> None:
        if process is None or process.returncode is not None:
            return
        with contextlib.suppress(ProcessLookupError):
            process.terminate()
        try:
            await asyncio.wait_for(process.wait(), self._grace_s)
        except TimeoutError:
            with contextlib.suppress(ProcessLookupError):
                process.kill()
            await process.wait()

    def _pass_on(self, line: bytes) -> None:
        self._out.write(line.decode(errors="replace"))
        self._out.flush()


def _groups(children: Sequence[Child]) -> list[list[Child]]:
    """Children that start at the same time, in order."""
    groups: list[list[Child]] = []
    for child in children:
        if child.alongside and groups:
            groups[-1].append(child)
        else:
            groups.append([child])
    return groups


async def _beats(pulse: Pulse) -> bool:
    """Whether there is an answer in time; one that takes nobody in may be busy, so try again."""
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(pulse.patience_s):
            while not await _answers(pulse):
                await asyncio.sleep(pulse.every_s / 4)
            return True
    return False


async def _answers(pulse: Pulse) -> bool:
    try:
        reader, writer = await asyncio.open_unix_connection(pulse.socket)
    except OSError:
        return False
    try:
        writer.write(pulse.word)
        await reader.read(1)  # an end is an answer: it has all the connections it takes
        return True
    except OSError:
        return False
    finally:
        writer.close()


async def _line(stream: asyncio.StreamReader) -> bytes:
    try:
        return await stream.readline()
    except ValueError:  # longer than any line we wait for
        return b"...\n"


def _die_with(parent: int) -> None:
    """Have Linux stop this child should its *parent* be killed; elsewhere it lives on."""
    if sys.platform == "linux":
        _LIBC.prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
        if os.getppid() != parent:  # it was killed before we asked
            os._exit(1)


def main() -> int:
    """``supervisor.py PLAN``: children and back-off as JSON, so that whoever planned can be gone.

    The planner replaces itself by this (exec): settings, their parser and all
    it needed leave memory, open sockets stay.
    """
    plan = json.loads(sys.argv[1])
    children = [
        Child(
            name=child["name"],
            argv=tuple(child["argv"]),
            first=tuple(child["first"]),
            fds=tuple(child["fds"]),
            pulse=_pulse(child["pulse"]),
            alongside=child["alongside"],
            early=child["early"],
            start_timeout_s=child.get("start_timeout_s", 30.0),
            stand_in=_stand_in(child.get("stand_in")),
        )
        for child in plan["children"]
    ]
    failed = Supervisor(children, back_off_s=plan["back_off_s"], ready=_say_ready, log=_say).run()
    return _UNAVAILABLE if failed else 0


def _pulse(planned: list[str] | None) -> Pulse | None:
    if planned is None:
        return None
    path, word = planned
    return Pulse(path, bytes.fromhex(word))


def _stand_in(planned: list[list[str | int]] | None) -> StandIn | None:
    if planned is None:
        return None
    argv, fds = planned
    return StandIn(tuple(map(str, argv)), tuple(map(int, fds)))


def _say_ready(child: str, text: str) -> None:
    """Tell that *child* is ready, and where it answers if it said so."""
    urls = text.split()[1:]
    print(_told(child, "ready", **({"urls": urls} if urls else {})), flush=True)


def _say(text: str) -> None:
    print(_told("supervisor", text.removeprefix("chancery: ")), file=sys.stderr, flush=True)


def _told(component: str, event: str, **facts: object) -> str:
    """One event in the shape of every other process's lines."""
    return json.dumps(
        {"time": time.time_ns() // 1_000_000, "component": component, "event": event} | facts
    )


if __name__ == "__main__":
    sys.exit(main())
