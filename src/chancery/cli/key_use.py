"""``chancery key encrypt``, ``sign`` and the like: data through files."""

import base64
from pathlib import Path
from typing import Annotated, Final

from cyclopts import Parameter

from chancery.cli import files, key_text, output
from chancery.cli.connection import DEFAULT, Connection
from chancery.cli.failures import UNVERIFIED
from chancery.cli.key_text import Aad, Name, Version
from chancery.domain.errors import BadRequest

Algorithm = Annotated[
    str | None, Parameter(help="ecdsa-sha256, rsa-pss-sha256 ...; by default the key's first.")
]
Signature = Annotated[Path, Parameter(help="File with the signature.")]


def encrypt(
    name: Name, file: files.Input, /, *, aad: Aad = None, output_: files.Output = None,
    force: files.Force = False, api: Connection = DEFAULT,
) -> None:  # fmt: skip
    """Encrypt a file; the ciphertext names the key and the version it needs."""
    files.check_free(output_, force=force)
    body = {"plaintext": key_text.data_of(file), "aad": key_text.hexadecimal(aad, "--aad")}
    with api.open() as server:
        made = server.post("keys", name, "encrypt", body=output.given(body))["ciphertext"]
    files.deliver(made.encode() + b"\n", output_, force=force)
    output.delivered(output_, len(made) + 1, as_json=api.as_json)


def decrypt(
    name: Name,
    file: files.Input,
    /,
    *,
    aad: Aad = None,
    despite: Annotated[
        str | None,
        Parameter(help="Why it is read though the key is suspended or compromised; audited."),
    ] = None,
    output_: files.Output = None,
    force: files.Force = False,
    api: Connection = DEFAULT,
) -> None:
    """Decrypt what `encrypt` made, with whatever version made it."""
    files.check_free(output_, force=force)
    body = {"ciphertext": _text(file), "aad": key_text.hexadecimal(aad, "--aad")}
    with api.open() as server:
        answer = server.post(
            "keys", name, "decrypt", body=output.given(body | {"despite": despite})
        )
    plain = key_text.plain(answer, "plaintext")
    files.deliver(plain, output_, force=force, secret=output_ is not None)
    output.delivered(output_, len(plain), as_json=api.as_json)


def rewrap(
    name: Name, file: files.Input, /, *, aad: Aad = None,
    to: Annotated[str | None, Parameter(help="Another key; by default the same.")] = None,
    output_: files.Output = None, force: files.Force = False, api: Connection = DEFAULT,
) -> None:  # fmt: skip
    """Encrypt a ciphertext anew, under the current version or another key, unseen."""
    files.check_free(output_, force=force)
    body = {"ciphertext": _text(file), "aad": key_text.hexadecimal(aad, "--aad"), "to": to}
    with api.open() as server:
        made = server.post("keys", name, "rewrap", body=output.given(body))["ciphertext"]
    files.deliver(made.encode() + b"\n", output_, force=force)
    output.delivered(output_, len(made) + 1, as_json=api.as_json)


def sign(
    name: Name, file: files.Input, /, *, algorithm: Algorithm = None,
    output_: files.Output = None, force: files.Force = False, api: Connection = DEFAULT,
) -> None:  # fmt: skip
    """Sign a file; the signature is what openssl calls it, DER for ECDSA."""
    files.check_free(output_, force=force)
    body = output.given({"data": key_text.data_of(file), "algorithm": algorithm})
    with api.open() as server:
        answer = server.post("keys", name, "sign", body=body)
    if output_ is None:
        output.show(answer, as_json=api.as_json)
        return
    made = key_text.plain(answer, "signature")
    files.deliver(made, output_, force=force)
    output.delivered(output_, len(made), as_json=api.as_json)


def verify(
    name: Name, file: files.Input, /, *, signature: Signature, algorithm: Algorithm = None,
    version: Version = None, api: Connection = DEFAULT,
) -> int:  # fmt: skip
    """Say whether a signature is the key's; exit code 8 if it is not."""
    body = {
        "data": key_text.data_of(file),
        "signature": key_text.data_of(signature),
        "algorithm": algorithm,
        "version": version,
    }
    with api.open() as server:
        answer = server.post("keys", name, "verify", body=output.given(body))
    return _judged(answer["valid"], api)


def mac(name: Name, file: files.Input, /, *, api: Connection = DEFAULT) -> None:
    """Authenticate a file: HMAC, or CMAC with AES and TDES keys; shown in hex."""
    with api.open() as server:
        answer = server.post("keys", name, "mac", body={"data": key_text.data_of(file)})
    shown = answer | {"mac": key_text.plain(answer, "mac").hex()}
    output.show(shown, as_json=api.as_json)


def verify_mac(
    name: Name, file: files.Input, /, *, mac: Annotated[str, Parameter(help="In hex.")],
    version: Version = None, api: Connection = DEFAULT,
) -> int:  # fmt: skip
    """Say whether a MAC is the key's; exit code 8 if it is not."""
    body = {
        "data": key_text.data_of(file),
        "mac": key_text.hexadecimal(mac, "--mac"),
        "version": version,
    }
    with api.open() as server:
        answer = server.post("keys", name, "verify-mac", body=output.given(body))
    return _judged(answer["valid"], api)


def random(
    count: Annotated[int, Parameter(help="Octets.")], /, *, output_: files.Output = None,
    force: files.Force = False, api: Connection = DEFAULT,
) -> None:  # fmt: skip
    """Get random octets from the key boundary; in hex unless they go to a file."""
    files.check_free(output_, force=force)
    with api.open() as server:
        data = base64.b64decode(server.post("random", body={"count": count})["data"])
    if output_ is None:
        output.show({"data": data.hex()}, as_json=api.as_json)
        return
    files.deliver(data, output_, force=force, secret=True)
    output.delivered(output_, len(data), as_json=api.as_json)


def _text(path: Path) -> str:
    try:
        return files.read(path, 2 * key_text.MAX_DATA).decode("ascii").strip()
    except UnicodeDecodeError:
        raise BadRequest(f"{path} holds no ciphertext of ours", field=str(path)) from None


def _judged(valid: bool, api: Connection) -> int:
    if api.as_json:
        output.print_json({"valid": valid})
    else:
        output.line("valid" if valid else "NOT valid")
    return 0 if valid else UNVERIFIED


COMMANDS: Final = (encrypt, decrypt, rewrap, sign, verify, mac, verify_mac, random)
