"""``chancery cmp request`` and ``revoke-certificate``: a client for any CMP server."""

import secrets
import ssl
import time
import urllib.error
import urllib.request
from pathlib import Path
from typing import Annotated, Any, Final, Literal

from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)
from cyclopts import Parameter

from chancery.cli import files, output
from chancery.cli.connection import DEFAULT, Connection
from chancery.domain.errors import BadRequest, Unavailable
from chancery.wire import pem, pkcs7

Url = Annotated[str, Parameter(help="http[s]://host[:port]/.well-known/cmp/p/LABEL.")]
Reference = Annotated[str | None, Parameter(help="Reference value of a shared secret.")]
SecretFile = Annotated[Path | None, Parameter(help="File with that secret; - is stdin.")]
Holding = Annotated[Path | None, Parameter(help="PEM certificate to sign with, then its chain.")]
HoldingKey = Annotated[Path | None, Parameter(help="PEM private key of that certificate.")]
Trust = Annotated[Path | None, Parameter(help="PEM roots of whoever signs the answers.")]
TlsTrust = Annotated[Path | None, Parameter(help="PEM roots for TLS; those of the system else.")]

_LARGEST: Final = 64 * 1024
_TIMEOUT_S: Final = 60
_PATIENCE_S: Final = 3600


class _Clock:
    def ms(self) -> int:
        return time.time_ns() // 1_000_000

    def s(self) -> int:
        return int(time.time())


def request(
    url: Url,
    /,
    *,
    subject: Annotated[str | None, Parameter(help="CN=device-1,O=Example.")] = None,
    san: Annotated[tuple[str, ...], Parameter(help="dns:host.example.org; repeatable.")] = (),
    key: Annotated[Path, Parameter(help="PEM private key to certify; made if it is not there.")],
    out: Annotated[Path, Parameter(name=["--output", "-o"], help="Where the certificate goes.")],
    chain_out: Annotated[Path | None, Parameter(help="Where its issuers go.")] = None,
    body: Annotated[
        Literal["ir", "cr", "kur"] | None,
        Parameter(help="Which request: ir with a secret, cr with a certificate, kur to renew it."),
    ] = None,
    profile: Annotated[str | None, Parameter(help="Certificate profile to ask for.")] = None,
    implicit: Annotated[bool, Parameter(help="Ask to do without a confirmation.")] = False,
    reference: Reference = None,
    secret_file: SecretFile = None,
    certificate: Holding = None,
    certificate_key: HoldingKey = None,
    trust: Trust = None,
    tls_trust: TlsTrust = None,
    force: files.Force = False,
    api: Connection = DEFAULT,
) -> None:
    """Enrol at a CMP server, this one or any other: wait if people decide, and confirm."""
    from chancery.protocols.cmp import client as cmp_client  # noqa: PLC0415 - help must not wait
    from chancery.wire import ca_certificate, crmf  # noqa: PLC0415
    from chancery.wire.cmp_kinds import Body  # noqa: PLC0415

    talking = _client(url, reference, secret_file, certificate, certificate_key, trust, tls_trust)
    own, held = _key(key), _certificates(certificate)[0] if certificate is not None else None
    kind = body or ("cr" if held is not None else "ir")
    controls = b""
    if kind == "kur" and held is not None:
        before = ca_certificate.decode(held)
        controls = crmf.update_of(before.issuer_der, int(before.serial, 16))
    asked = cmp_client.request(own, _template(own, subject, san, held), controls)
    got = talking.enrol(Body[kind.upper()], asked, implicit=implicit, profile=profile)
    files.write(out, pem.encode("CERTIFICATE", got.certificate).encode(), force=force)
    if chain_out is not None:
        along = dict.fromkeys((*got.issuers, *got.others))
        text = "".join(pem.encode("CERTIFICATE", one) for one in along)
        files.write(chain_out, text.encode(), force=force)
    made = ca_certificate.decode(got.certificate)
    shown: dict[str, Any] = {
        "subject": made.subject.text,
        "serial": made.serial,
        "not_after": made.not_after,
        "certificate": str(out),
    }
    output.show(shown, as_json=api.as_json)


def revoke_certificate(
    url: Url,
    /,
    *,
    certificate: Annotated[Path, Parameter(help="PEM certificate to sign with, and to revoke.")],
    certificate_key: Annotated[Path, Parameter(help="PEM private key of that certificate.")],
    other: Annotated[Path | None, Parameter(help="PEM of another to revoke.")] = None,
    reason: Annotated[int, Parameter(help="CRLReason: 1 key compromise, 4 superseded, ...")] = 0,
    trust: Trust = None,
    tls_trust: TlsTrust = None,
    api: Connection = DEFAULT,
) -> None:
    """Have a certificate revoked by whoever issued it."""
    talking = _client(url, None, None, certificate, certificate_key, trust, tls_trust)
    talking.revoke(_certificates(other or certificate)[0], reason)
    output.done(str(other or certificate), "revoked", as_json=api.as_json)


def _template(own: Any, subject: str | None, san: tuple[str, ...], held: bytes | None) -> Any:
    """What to ask for: what is named, else what the certificate at hand says."""
    from chancery.protocols.cmp.signing import spki  # noqa: PLC0415 - help must not wait
    from chancery.wire import crmf, foreign_certificate, general_names, names  # noqa: PLC0415

    wanted, alternative = subject, [general_names.parse(name) for name in san]
    if held is not None and subject is None:
        read = foreign_certificate.decode(held)
        wanted, alternative = read.subject, alternative or list(read.names)
    extensions = (("2.5.29.17", False, general_names.encode_san(alternative)),)
    return crmf.Template(
        subject=names.parse_text(wanted or ""),
        spki=spki(own),
        extensions=extensions if alternative else (),
    )


def _client(
    url: str,
    reference: str | None,
    secret_file: Path | None,
    certificate: Path | None,
    certificate_key: Path | None,
    trust: Path | None,
    tls_trust: Path | None,
) -> Any:
    from chancery.protocols.cmp import client as cmp_client  # noqa: PLC0415 - help must not wait

    who: cmp_client.SharedSecret | cmp_client.Holder
    if reference is not None and secret_file is not None:
        secret = files.secret(secret_file, "secret").encode()
        who = cmp_client.SharedSecret(reference.encode(), secret)
    elif certificate is not None and certificate_key is not None:
        first, *chain = _certificates(certificate)
        who = cmp_client.Holder(first, _key(certificate_key, make=False), tuple(chain))
    else:
        raise BadRequest(
            "a message proves itself by a secret or a certificate",
            field="--reference",
            rule="cmp.credential",
            remedy="give --reference and --secret-file, or --certificate and --certificate-key",
        )
    return cmp_client.CmpClient(
        _sender(url, tls_trust),
        who,
        _Clock(),
        secrets.token_bytes,
        anchors=_certificates(trust) if trust is not None else (),
        wait=_waiting(),
    )


def _sender(url: str, tls_trust: Path | None) -> Any:
    if not url.startswith(("http://", "https://")):
        raise BadRequest(f"not an address: {url[:200]}", field="URL", rule="url.syntax")
    context = ssl.create_default_context(cafile=str(tls_trust) if tls_trust else None)

    def send(message: bytes) -> bytes:
        headers = {"Content-Type": "application/pkixcmp"}
        asked = urllib.request.Request(url, message, headers)  # noqa: S310 - the scheme was checked
        try:
            with urllib.request.urlopen(  # noqa: S310
                asked, timeout=_TIMEOUT_S, context=context
            ) as answer:
                return bytes(answer.read(_LARGEST * 4))
        except urllib.error.HTTPError as error:
            data = error.read(_LARGEST * 4)
            if data[:1] == b"\x30":
                return data
            raise Unavailable(f"the server says {error.code}", field="URL") from error
        except OSError as error:
            raise Unavailable(f"no answer from {url}: {error}", field="URL") from error

    return send


def _waiting() -> Any:
    until = time.monotonic() + _PATIENCE_S

    def wait(seconds: int) -> None:
        if time.monotonic() + seconds > until:
            raise Unavailable("nobody has decided within an hour", rule="cmp.waiting")
        time.sleep(seconds)

    return wait


def _key(path: Path, *, make: bool = True) -> Any:
    if make and not path.exists():
        made = ec.generate_private_key(ec.SECP256R1())
        data = made.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        files.write(path, data, force=False, secret=True)
    try:
        return load_pem_private_key(files.read(path, _LARGEST), None)
    except (ValueError, TypeError) as error:
        raise BadRequest(
            f"{path} is no PEM private key without a passphrase", field=str(path), rule="key.pem"
        ) from error


def _certificates(path: Path) -> list[bytes]:
    return pkcs7.certificates(files.read(path, 4 * _LARGEST))
