"""Hands over what waits, in order, once the centre is back; and asks how the centre does."""

import json
import logging
import threading
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final

from chancery.relay.queue import Entry, Queue
from chancery.relay.upstream import Away, Headers, Upstream

_log = logging.getLogger(__name__)

_PROBE_S: Final = 5.0
_FIRST_PAUSE_S: Final = 0.5
_LONGEST_PAUSE_S: Final = 30.0
_HELD_S: Final = (5.0, 30.0, 120.0, 600.0)
"""How long one that the centre cannot take now lets others pass."""
_OFFERS_S: Final = 60.0
_SWEEP_S: Final = 3_600.0
_LATER: Final = frozenset({408, 425, 429, 500, 502, 503, 504})
"""Statuses that say nothing against what was sent."""
_PLACE: Final = b"/api/v1/requests"

Result = Mapping[str, Any]


class _NotNow(Exception):
    """The centre answers, and does not take this one yet."""


class Courier:
    """A thread of its own; ``start`` and ``stop`` it."""

    def __init__(
        self, upstream: Upstream, queue: Queue, host: str, clock: Callable[[], float] = time.time
    ) -> None:
        """*host* is what the centre sees in the Host field of what we ask ourselves."""
        self._upstream = upstream
        self._queue = queue
        self._host = host.encode()
        self._clock = clock
        self._wake = threading.Event()
        self._stopping = False
        self._held: dict[str, tuple[int, float]] = {}  # receipt: tries, not before (monotonic)
        self._offers_at = self._swept_at = float("-inf")
        self._offers_file = queue.directory / "offers.json"
        self.offers: list[dict[str, Any]] = _kept(self._offers_file)
        """What strangers may ask for, as the centre last said."""
        self.trouble: str = "not asked yet"
        """Why nothing can be handed over, "" where it can."""
        self._thread = threading.Thread(target=self._run, name="courier", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        self._stopping = True
        self._wake.set()
        self._thread.join(timeout=5)

    def wake(self) -> None:
        """Something waits."""
        self._wake.set()

    def _run(self) -> None:
        pause = _FIRST_PAUSE_S
        while not self._stopping:
            try:
                self._look()
                self._hand_over()
                pause = _FIRST_PAUSE_S
                wait = _PROBE_S
            except Away as error:
                if not self.trouble:
                    _log.warning("the centre is away: %s", error)
                self.trouble = str(error)
                wait, pause = pause, min(pause * 2, _LONGEST_PAUSE_S)
            except Exception:  # noqa: BLE001 - what waits must not wait for a restart
                _log.exception("the courier stumbled")
                wait = _LONGEST_PAUSE_S
            # What comes in while the centre is away does not bring it back any sooner.
            if self.trouble:
                self._wake.clear()
            self._wake.wait(wait)
            self._wake.clear()

    def _look(self) -> None:
        """Ask whether the centre is there and admits us; keep what it offers."""
        self._upstream.refresh()
        answer = self._upstream.ask("GET", b"/healthz", self._headers(), b"")
        if answer.status_code != 200:
            raise Away(_said(answer.content, answer.status_code))
        if self.trouble:
            _log.info("the centre is there; %d wait for it", self._queue.waiting)
        self.trouble = ""
        now = time.monotonic()
        if now - self._offers_at > _OFFERS_S:
            found = self._upstream.ask("GET", b"/api/v1/portal/profiles", self._headers(), b"")
            if found.status_code == 200:
                self.offers = found.json()["items"]
                _keep(self._offers_file, self.offers)
                self._offers_at = now
        if now - self._swept_at > _SWEEP_S:
            self._queue.forget(int(self._clock()))
            self._swept_at = now

    def _hand_over(self) -> None:
        now = time.monotonic()
        held = {code for code, (_, until) in self._held.items() if until > now}
        while not self._stopping and (entry := self._queue.first(held)) is not None:
            try:
                results = [self._send(entry, item) for item in entry.items]
            except _NotNow as error:
                tries = self._held.get(entry.code, (0, 0.0))[0]
                until = time.monotonic() + _HELD_S[min(tries, len(_HELD_S) - 1)]
                self._held[entry.code] = (tries + 1, until)
                held.add(entry.code)
                _log.warning("one of those that wait is not taken yet: %s", error)
                continue
            ended = self._queue.end(entry, results, int(self._clock()))
            self._held.pop(entry.code, None)
            _log.info("handed over", extra={"state": ended.state, "left": self._queue.waiting})

    def _send(self, entry: Entry, item: Mapping[str, Any]) -> Result:
        """One submission; Away where nobody answers, or nobody takes anything from us."""
        headers = self._headers(entry.address)
        headers += [
            (b"content-type", b"application/json"),
            (b"chancery-receipt", entry.code.encode()),
            (b"chancery-queued", str(entry.at).encode()),
        ]
        if entry.authorization is not None:
            headers.append((b"authorization", entry.authorization.encode("latin-1")))
            if entry.key is not None:
                headers.append((b"idempotency-key", entry.key.encode("latin-1")))
        answer = self._upstream.ask("POST", _PLACE, headers, json.dumps(item).encode())
        status = answer.status_code
        if status == 201:
            return {"id": answer.json()["id"]}
        problem = _problem(answer.content, status)
        if str(problem.get("rule", "")).startswith("gateway.") and status == 403:
            raise Away(str(problem["detail"]), refused=True)  # it is we who are not admitted
        if status in _LATER:
            raise _NotNow(str(problem["detail"]))
        return {"error": problem}

    def _headers(self, address: str = "") -> Headers:
        common = [(b"host", self._host), (b"accept", b"application/json")]
        return [*common, (b"chancery-relayed-for", address.encode())] if address else common


def _problem(body: bytes, status: int) -> dict[str, Any]:
    try:
        found = json.loads(body)
    except ValueError:
        found = None
    if not isinstance(found, dict) or "detail" not in found:
        return {"status": status, "detail": f"the centre answered {status}"}
    kept = ("status", "title", "detail", "field", "rule", "remedy")
    return {name: found[name] for name in kept if name in found}


def _said(body: bytes, status: int) -> str:
    return str(_problem(body, status)["detail"])


def _kept(path: Path) -> list[dict[str, Any]]:
    try:
        found = json.loads(path.read_text())
    except (OSError, ValueError):
        return []
    return found if isinstance(found, list) else []


def _keep(path: Path, offers: list[dict[str, Any]]) -> None:
    draft = path.with_suffix(".new")
    draft.write_text(json.dumps(offers))
    draft.replace(path)
