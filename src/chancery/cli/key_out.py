"""``chancery key wrap``, ``package``, ``split``, ``escrow``: keys on their way out, and back."""

import base64
from pathlib import Path
from typing import Annotated, Final

from cyclopts import Parameter

from chancery.cli import files, key_text, output
from chancery.cli.connection import DEFAULT, Connection
from chancery.cli.key_text import Name, Version
from chancery.domain.errors import BadRequest

_MAX: Final = 64 * 1024
Method = Annotated[
    str,
    Parameter(help="aes-kw, aes-kwp, rsa-oaep-sha256, rsa-aes-sha256, tr31-d, tr31-b."),
]


def wrap(
    name: Name,
    /,
    *,
    method: Method,
    by: Annotated[str | None, Parameter(help="Key of ours to wrap under.")] = None,
    public_key: Annotated[
        Path | None, Parameter(help="RSA public key (PEM or DER) to wrap under; others must agree.")
    ] = None,
    block_usage: Annotated[str | None, Parameter(help="X9.143 usage: D0, K0, P0 ...")] = None,
    block_mode: Annotated[str | None, Parameter(help="X9.143 mode of use: B, D, E ...")] = None,
    version: Version = None,
    output_: files.Output = None,
    force: files.Force = False,
    api: Connection = DEFAULT,
) -> None:
    """Hand a key out, wrapped; or ask for it, where others must agree."""
    files.check_free(output_, force=force)
    body = {
        "method": method,
        "by": by,
        "public_key": None if public_key is None else _spki(public_key),
        "block_usage": block_usage,
        "block_mode": block_mode,
        "version": version,
    }
    with api.open() as server:
        answer = server.post("keys", name, "wrap", body=output.given(body))
    key_text.outcome(answer, as_json=api.as_json, to=output_, force=force)


def package(
    name: Name, form: Annotated[str, Parameter(help="pkcs8 or pkcs12.")], /, *,
    version: Version = None, api: Connection = DEFAULT,
) -> None:  # fmt: skip
    """Ask for a private key as PKCS#8 or PKCS#12; `key-order perform` hands it out."""
    with api.open() as server:
        body = output.given({"form": form, "version": version})
        answer = server.post("keys", name, "package", body=body)
    key_text.outcome(answer, as_json=api.as_json)


def split(
    name: Name, /, *,
    holder: Annotated[tuple[str, ...], Parameter(help="Account; repeat for each component.")],
    version: Version = None, api: Connection = DEFAULT,
) -> None:  # fmt: skip
    """Ask for a key in components, each for another holder."""
    with api.open() as server:
        body = output.given({"holders": list(holder), "version": version})
        answer = server.post("keys", name, "split", body=body)
    key_text.outcome(answer, as_json=api.as_json)


def escrow(
    name: Name,
    /,
    *,
    agent: Annotated[
        tuple[Path, ...],
        Parameter(help="Recovery agent's RSA public key (3072 bits or more); repeatable."),
    ],
    threshold: Annotated[int, Parameter(help="How many of them recover the key.")],
    version: Version = None,
    api: Connection = DEFAULT,
) -> None:
    """Ask for a key to be sealed for recovery agents."""
    body = {"agents": [_spki(path) for path in agent], "threshold": threshold}
    with api.open() as server:
        answer = server.post("keys", name, "escrow", body=body | output.given({"version": version}))
    key_text.outcome(answer, as_json=api.as_json)


def escrow_record(
    name: Name, /, *, version: Version = None, output_: files.Output = None,
    force: files.Force = False, api: Connection = DEFAULT,
) -> None:  # fmt: skip
    """Get the record of a key's escrow; each agent decrypts the own share with it."""
    files.check_free(output_, force=force)
    with api.open() as server:
        found = server.get("keys", name, "escrow", version=version)
    data = base64.b64decode(found["escrow"])
    files.deliver(data, output_, force=force)
    output.delivered(output_, len(data), as_json=api.as_json)


def recover(
    name: Name,
    /,
    *,
    to: Annotated[str, Parameter(help="Name of the key that it becomes.")],
    share: Annotated[
        tuple[Path, ...], Parameter(help="File with an agent's decrypted share; repeatable.")
    ],
    version: Version = None,
    api: Connection = DEFAULT,
) -> None:
    """Bring a key back from escrow, with its agents' shares."""
    shares = [files.read(path, 1_000).decode("ascii", "replace").strip() for path in share]
    body = {"to": to, "shares": shares}
    with api.open() as server:
        made = server.post("keys", name, "recover", body=body | output.given({"version": version}))
    output.show(made, as_json=api.as_json, human=key_text.shown)


def _spki(path: Path) -> str:
    """An RSA public key file as base64 of DER."""
    from cryptography.hazmat.primitives.serialization import (  # noqa: PLC0415 - for these alone
        Encoding,
        PublicFormat,
        load_der_public_key,
        load_pem_public_key,
    )

    data = files.read(path, _MAX)
    files.refuse_private_key(data, str(path)) if b"-----BEGIN" in data else None
    try:
        load = load_pem_public_key if b"-----BEGIN" in data else load_der_public_key
        der = load(data).public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    except ValueError:
        raise BadRequest(
            f"{path} holds no public key", field=str(path), remedy="openssl pkey -pubout"
        ) from None
    return base64.b64encode(der).decode()


COMMANDS: Final = (wrap, package, split, escrow, escrow_record, recover)
