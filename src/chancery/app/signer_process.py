"""How the signer is started, and where its socket is."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from chancery.domain.errors import BadRequest, Unavailable
from chancery.server.supervisor import Pulse
from chancery.settings import Signer
from chancery.settings_vaults import VaultSettings
from chancery.signer import protocol

_SUN_PATH: Final = 107
"""Octets the kernel takes as the path of a Unix socket (unix(7)), less the final NUL."""


def socket_path(path: Path) -> Path:
    """*path*, or the same place relative to here where only that is short enough for a socket."""
    candidates = (str(path), os.path.relpath(path))
    shortest = min(candidates, key=lambda text: len(os.fsencode(text)))
    if len(os.fsencode(shortest)) > _SUN_PATH:
        raise BadRequest(
            f"the path of the signer's socket is too long: {path}",
            field="signer.socket",
            rule="socket.path-length",
            remedy=f"set signer.socket to a path of at most {_SUN_PATH} octets",
        )
    return Path(shortest)


def signer_command(settings: Signer) -> list[str]:
    if settings.custodians:
        unseal = ["--unseal-socket", str(socket_path(settings.unseal_socket))]
    elif settings.unseal_key_file is not None:
        unseal = ["--unseal-file", str(settings.unseal_key_file)]
    else:
        unseal = ["--passphrase-file", str(settings.passphrase_file)]
    return [
        sys.executable,
        "-m",
        "chancery.signer",
        "--vault",
        str(settings.vault),
        "--journal",
        str(settings.journal),
        "--socket",
        str(socket_path(settings.socket)),
        *unseal,
        *(part for vault in settings.vaults for part in ("--token", _token(vault))),
        *(["--approved-mode"] if settings.approved_mode else []),
    ]


def _token(vault: VaultSettings) -> str:
    """As ``signer.pkcs11.vault.token_settings`` reads it: names and paths, no secret."""
    return vault.model_dump_json(exclude={"kind"})


def signer_pulse(settings: Signer) -> Pulse:
    """How the supervisor tells that the signer lives, without its language."""
    word = protocol.frame(protocol.encode(protocol.Alive()))
    return Pulse(str(socket_path(settings.socket)), word)


def _not_started(errors: str) -> Unavailable:
    """What the signer's last line says, or its end where that is not one of ours."""
    try:
        said = json.loads(errors.strip().splitlines()[-1])
        why, rule, remedy = said["error"], said.get("rule"), said.get("remedy")
    except (ValueError, LookupError, TypeError):
        why, rule, remedy = errors.strip()[-500:], None, None
    return Unavailable(f"the signer did not start: {why}", rule=rule, remedy=remedy)


@contextmanager
def running_signer(settings: Signer) -> Iterator[None]:
    """A signer of our own for a while: quickstart and ceremonies."""
    settings.socket.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    process = subprocess.Popen(
        signer_command(settings), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    try:
        if process.stdout.readline() != "ready\n":
            _, errors = process.communicate(timeout=30)
            raise _not_started(errors)
        yield
    finally:
        process.terminate()
        process.communicate(timeout=30)
