"""Files in and out: bounded reading, atomic writing, and no secret on a command line."""

import base64
import contextlib
import getpass
import os
import re
import secrets
import ssl
import stat
import sys
from pathlib import Path
from typing import Annotated, Final

from cyclopts import Parameter

from chancery.cli.failures import note
from chancery.domain.errors import AlreadyExists, BadRequest, TooLarge

STDIN: Final = "-"
_MAX_SECRET: Final = 1_024  # octets
_PRIVATE_LABEL: Final = re.compile(rb"-----BEGIN [^\r\n-]{0,40}PRIVATE KEY")
# PKCS#8, PKCS#1, SEC 1 and PKCS#12 begin with a version number; requests, certificates
# and PKCS#7 with a SEQUENCE or an OBJECT IDENTIFIER.
_DER_KEY: Final = re.compile(rb"\x30(?:[\x00-\x7f]|\x81.|\x82..|\x83...)\x02", re.DOTALL)


def _no_option(_: object, value: object) -> None:
    """Refuse a misspelt option: ``-`` is allowed as a file, so ``--oops`` would be as well."""
    for one in value if isinstance(value, tuple) else (value,):
        if one is not None and len(str(one)) > 1 and str(one).startswith("-"):
            raise ValueError(f"unknown option {one}; a file of that name is ./{one}")


Input = Annotated[
    Path,
    Parameter(allow_leading_hyphen=True, validator=_no_option, help="File to read; - is stdin."),
]
Inputs = Annotated[
    Path,
    Parameter(allow_leading_hyphen=True, validator=_no_option, help="Files to read; - is stdin."),
]
Output = Annotated[
    Path | None,
    Parameter(
        name=["--output", "-o"],
        allow_leading_hyphen=True,
        validator=_no_option,
        help="File to write; - or nothing is stdout.",
    ),
]
Force = Annotated[bool, Parameter(help="Overwrite the file if it exists.")]


def read(path: Path, limit: int, rule: str = "size") -> bytes:
    """Return the file's octets, at most *limit* of them; ``-`` is standard input."""
    try:
        if str(path) == STDIN:
            data = sys.stdin.buffer.read(limit + 1)
        else:
            with path.open("rb") as file:
                data = file.read(limit + 1)
    except OSError as error:
        raise BadRequest(
            f"cannot read {path}: {(error.strerror or str(error)).lower()}", field=str(path)
        ) from error
    if len(data) > limit:
        raise TooLarge(f"{path} is longer than {limit} octets", field=str(path), rule=rule)
    return data


def public(path: Path, limit: int, rule: str = "size") -> str:
    """Return a request or certificate as the API takes it; refuse a file with a private key.

    A key that has reached the server has left its owner's hands, so this is
    asked before anything is sent.
    """
    data = read(path, limit, rule)
    refuse_private_key(data, str(path))
    return pem_or_base64(data)


def refuse_private_key(data: bytes, where: str) -> None:
    """Raise BadRequest if *data* is a private key: PEM of any kind, or DER without encryption."""
    if _PRIVATE_LABEL.search(data) or _DER_KEY.match(data):
        raise BadRequest(
            f"{where} holds a private key; nothing was sent",
            field=where,
            rule="pem.private-key",
            remedy="name the file of the certificate or request itself; a key stays where it is",
        )


def deliver(data: bytes, to: Path | None, *, force: bool, secret: bool = False) -> None:
    """Write *data* to a file, or to standard output when *to* is None or ``-``."""
    if to is not None and str(to) != STDIN:
        write(to, data, force=force, secret=secret)
        return
    if sys.stdout.isatty() and (secret or not _is_text(data)):
        raise BadRequest(
            "this does not belong on a terminal", field="--output", remedy="name a file: -o FILE"
        )
    sys.stdout.buffer.write(data)
    sys.stdout.buffer.flush()


def write(path: Path, data: bytes, *, force: bool, secret: bool = False) -> None:
    """Write *path* in one step: readers see all of it or nothing, and so does a crash.

    Without *force* an existing file stays as it is (AlreadyExists), even when
    it appears while we write.  *secret* files are for their owner alone.
    """
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(6)}")
    try:
        descriptor = os.open(
            temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600 if secret else 0o666
        )
        with os.fdopen(descriptor, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        if force:
            temporary.replace(path)
        else:
            os.link(temporary, path)  # unlike a rename, a link refuses an existing name
    except FileExistsError as error:
        raise exists(path) from error
    except OSError as error:
        raise BadRequest(
            f"cannot write {path}: {(error.strerror or str(error)).lower()}", field="--output"
        ) from error
    finally:
        with contextlib.suppress(OSError):
            temporary.unlink()


def check_free(path: Path | None, *, force: bool) -> None:
    """Fail before anything is asked of the server, if the answer would have no place to go."""
    if path is not None and str(path) != STDIN and not force and path.exists():
        raise exists(path)


def exists(path: Path) -> AlreadyExists:
    return AlreadyExists(
        f"{path} exists", field="--output", rule="no-overwrite", remedy="use --force to replace it"
    )


def secret(file: Path | None, prompt: str, *, confirm: bool = False) -> str:
    """Return one line of secret text from *file*, or ask for it on the terminal.

    An argument or a variable would show it to every process on the machine.
    """
    if file is not None:
        _warn_if_open(file)
        try:
            text = read(file, _MAX_SECRET).decode().rstrip("\r\n")
        except UnicodeDecodeError as error:
            raise BadRequest(f"{file} is not UTF-8 text", field=str(file)) from error
    elif sys.stdin.isatty():
        text = getpass.getpass(f"{prompt}: ")
        if confirm and text != getpass.getpass(f"{prompt}, again: "):
            raise BadRequest("the two entries differ", field=prompt)
    else:
        raise BadRequest(
            f"no {prompt} is given", field=prompt, remedy=f"name a file: --{prompt}-file FILE"
        )
    if not text:
        raise BadRequest(f"the {prompt} is empty", field=prompt)
    return text


def _warn_if_open(path: Path) -> None:
    try:
        mode = path.stat().st_mode
    except OSError:
        return  # reading it will say what is wrong
    if stat.S_ISREG(mode) and mode & 0o077:
        note(f"{path} can be read by others; chmod 600 it")


def _is_text(data: bytes) -> bool:
    return all(octet >= 0x20 or octet in b"\t\r\n" for octet in data)


def passphrase(file: Path | None) -> str:
    """Return the passphrase of a PKCS#12 file, fit for an HTTP header (RFC 9110 §5.5)."""
    text = secret(file, "passphrase", confirm=True)
    if not (text.isascii() and text.isprintable()):
        raise BadRequest("a passphrase is printable ASCII", field="passphrase")
    return text


def pem_or_base64(data: bytes) -> str:
    """Return certificates, keys and requests as the API takes them: PEM as it is, else base64."""
    if b"-----BEGIN" in data:
        return data.decode("ascii", errors="replace")
    return base64.b64encode(data).decode()


def certificate_pem(data: bytes) -> str:
    """Return a certificate as PEM text, whichever of PEM and DER it is in."""
    if b"-----BEGIN" in data:
        return data.decode("ascii", errors="replace")
    return ssl.DER_cert_to_PEM_cert(data)
