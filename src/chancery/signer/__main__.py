"""``python -m chancery.signer``: the process that holds the keys.

Prints one line, ``ready``, on stdout once it answers; logs JSON lines on
stderr.  Ends cleanly on SIGTERM, and when the process that started it ends.
"""

import argparse
import json
import os
import signal
import sys
import threading
import time
from pathlib import Path

from chancery.domain.errors import CAError
from chancery.signer.hardening import die_with_parent, harden
from chancery.signer.journal import Journal
from chancery.signer.pairing import pair
from chancery.signer.server import Server
from chancery.signer.service import Signer
from chancery.signer.unseal.key_file import KeyFile
from chancery.signer.unseal.passphrase import Passphrase
from chancery.signer.vault import Vault, open_vault

EXIT_UNAVAILABLE = 7


def log(event: str, **facts: object) -> None:
    """One JSON line on stderr.  Callers pass names, numbers and rules, never data or secrets."""
    line = {"time": int(time.time() * 1000), "component": "signer", "event": event} | facts
    sys.stderr.write(json.dumps(line) + "\n")
    sys.stderr.flush()


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m chancery.signer", description=__doc__)
    parser.add_argument("--vault", type=Path, required=True, help="directory of the sealed vault")
    parser.add_argument("--journal", type=Path, required=True, help="directory of the journal")
    parser.add_argument("--socket", type=Path, required=True, help="Unix socket to answer on")
    unseal = parser.add_mutually_exclusive_group(required=True)
    unseal.add_argument("--unseal-file", type=Path, help="file of 32 octets that opens the vault")
    unseal.add_argument("--passphrase-file", type=Path, help="file with the vault's passphrase")
    unseal.add_argument("--unseal-socket", type=Path, help="Unix socket to take shares on")
    parser.add_argument("--token", action="append", default=[], help="a PKCS#11 vault, in JSON")
    parser.add_argument("--approved-mode", action="store_true", help="approved algorithms only")
    parser.add_argument("--peer-uid", type=int, default=os.geteuid(), help="who may connect")
    return parser.parse_args()


def main() -> int:
    options = arguments()
    if not die_with_parent():
        return EXIT_UNAVAILABLE
    hardening = harden()
    # Blocked before any thread starts, so that only sigwait below takes them.
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM, signal.SIGINT})
    try:
        vault = _vault(options)
        if vault is None:
            return 0
        # After a failed fsync only reading the file again helps: end, and be started again.
        journal = Journal(options.journal, lost=lambda: os.kill(os.getpid(), signal.SIGTERM))
        pair(vault, journal, options.vault)
        for text in options.token:
            _hold(vault, text)
        signer = Signer(vault, journal)
        if options.approved_mode:
            _approve(signer, vault)
        server = Server(signer, options.socket, uid=options.peer_uid, log=log)
    except (CAError, OSError) as error:
        rule = error.rule if isinstance(error, CAError) else "os"
        remedy = error.remedy if isinstance(error, CAError) else None
        log("start-failed", error=str(error), rule=rule, remedy=remedy)
        return EXIT_UNAVAILABLE
    threading.Thread(target=server.run, daemon=True).start()
    log(
        "started",
        records=journal.head[0],
        head=journal.head[1].hex(),
        truncated_octets=journal.truncated,
        memory_locked=hardening.memory_locked,
    )
    print("ready", flush=True)
    signal.sigwait({signal.SIGTERM, signal.SIGINT})
    server.stop()
    signer.close()
    journal.close()
    vault.close()
    log("stopped")
    return 0


def _vault(options: argparse.Namespace) -> Vault | None:
    """The vault, open; None if told to stop before custodians had opened it."""
    if options.unseal_socket:
        # Imported here: a start with a key file need not load what reads shares.
        from chancery.signer.unseal.waiting import wait  # noqa: PLC0415

        return wait(options.vault, options.unseal_socket, uid=options.peer_uid, log=log)
    if options.unseal_file:
        return open_vault(options.vault, KeyFile(options.unseal_file))
    return open_vault(options.vault, Passphrase(options.passphrase_file))


def _hold(vault: Vault, text: str) -> None:
    """Connect a token; one that is away or wants its PIN is waited for while we serve."""
    # Imported here: an instance without tokens need not load what speaks to them.
    from chancery.signer.pkcs11.vault import TokenHolder, token_settings  # noqa: PLC0415

    # Threads that wait for a token want the interpreter back soon, not in 5 ms.
    sys.setswitchinterval(0.001)
    settings = token_settings(text)
    vault.holders[settings.name] = TokenHolder(settings, vault.directory, vault, log=log)


def _approve(signer: Signer, vault: Vault) -> None:
    from chancery.signer.approved import ApprovedMode  # noqa: PLC0415 - as above

    mode = ApprovedMode(vault)
    signer.managed.boundary.approve = mode.judge_managed
    signer.desk.self_test = mode.test
    signer.desk.approved_mode = True


if __name__ == "__main__":
    sys.exit(main())
