"""``chancery ca create`` and ``import``: what an authority is asked to be."""

from pathlib import Path
from typing import Annotated, Any, Final, Literal

from cyclopts import Parameter

from chancery.cli import certificate_view, files, output
from chancery.cli.arguments import AT_LEAST_ONE, NOT_NEGATIVE, Excluded, Permitted
from chancery.cli.connection import DEFAULT, Connection
from chancery.cli.crl_options import USUAL_CRLS, CrlOptions
from chancery.domain.errors import BadRequest

_MAX_FILE: Final = 1_024 * 1_024  # octets

NewName = Annotated[str, Parameter(help="Name: a-z, 0-9 and -; becomes part of its URLs.")]
ContainerName = Annotated[str, Parameter(help="Container it belongs to.")]
Level = Annotated[
    Literal["laboratory", "standard", "high"] | None,
    Parameter(help="Least strength of keys, vault and approvals."),
]
Silo = Annotated[str | None, Parameter(help="Label: which network it serves.")]
Region = Annotated[str | None, Parameter(help="Label: where.")]
Vault = Annotated[
    str | None, Parameter(help="Vault that holds its key; else software: `chancery vault list`.")
]
Signature = Annotated[str | None, Parameter(help="How it signs: ecdsa-sha384, rsa-pss-sha256, ...")]


def create(
    name: NewName,
    /,
    *,
    container: ContainerName,
    subject: Annotated[str, Parameter(help="Its name: CN=Example Root,O=Example,C=DE.")],
    parent: Annotated[str | None, Parameter(help="CA that certifies it; without, a root.")] = None,
    external: Annotated[bool, Parameter(help="A CA elsewhere will certify its CSR.")] = False,
    key_algorithm: Annotated[
        str | None, Parameter(help="rsa-4096, ec-p384 (default), ed25519, ml-dsa-65, ...")
    ] = None,
    signature_algorithm: Signature = None,
    vault: Vault = None,
    days: Annotated[
        int | None,
        Parameter(
            validator=AT_LEAST_ONE,
            help="Validity of its certificate; else 20 years for a root, 10 below one, "
            "and never past the parent's.",
        ),
    ] = None,
    path_length: Annotated[
        int | None, Parameter(validator=NOT_NEGATIVE, help="CAs allowed below it.")
    ] = None,
    permitted: Permitted = (),
    excluded: Excluded = (),
    security_level: Level = None,
    silo: Silo = None,
    region: Region = None,
    crls: CrlOptions = USUAL_CRLS,
    api: Connection = DEFAULT,
) -> None:
    """Make an authority: a root, one below --parent, or one that an --external CA certifies."""
    extensions: dict[str, Any] = {"days": days, "path_length": path_length}
    if permitted or excluded:
        extensions["name_constraints"] = {"permitted": list(permitted), "excluded": list(excluded)}
    body = crls.body() | {
        "silo": silo,
        "region": region,
        "security_level": security_level,
        "name": name,
        "container": container,
        "subject": subject,
        "parent": parent,
        "external": external or None,
        "key_algorithm": key_algorithm,
        "signature_algorithm": signature_algorithm,
        "vault": vault,
        "extensions": _given(extensions) or None,
    }
    with api.open() as server:
        answer = server.post("authorities", body=_given(body))
    output.show(answer, as_json=api.as_json, human=certificate_view.authority)


def import_(
    name: NewName,
    certificate: files.Input | None = None,
    /,
    *,
    container: ContainerName,
    chain: Annotated[Path | None, Parameter(help="Certificates above it: PEM or p7.")] = None,
    key: Annotated[Path | None, Parameter(help="Its key: unencrypted PKCS#8 (PEM or DER).")] = None,
    pkcs12: Annotated[
        Path | None, Parameter(help="Certificate and key in one PKCS#12, instead of CERTIFICATE.")
    ] = None,
    passphrase_file: Annotated[Path | None, Parameter(help="Passphrase of the PKCS#12.")] = None,
    offline: Annotated[
        bool, Parameter(help="It never signs here: its key stays elsewhere.")
    ] = False,
    vault: Vault = None,
    token_label: Annotated[
        str | None, Parameter(help="Its key is on the vault's token already, under this label.")
    ] = None,
    token_id: Annotated[
        str | None, Parameter(help="And this id (hex), where several have the label.")
    ] = None,
    signature_algorithm: Signature = None,
    security_level: Level = None,
    silo: Silo = None,
    region: Region = None,
    crls: CrlOptions = USUAL_CRLS,
    api: Connection = DEFAULT,
) -> None:
    """Take in an authority that exists elsewhere, with its key or as an offline one."""
    on_token = token_label is not None
    _check_sources(certificate, key, pkcs12, passphrase_file, offline=offline, on_token=on_token)
    body: dict[str, Any] = {
        field: files.public(path, _MAX_FILE)
        for field, path in {"certificate": certificate, "chain": chain}.items()
        if path is not None
    } | {
        field: files.pem_or_base64(files.read(path, _MAX_FILE))
        for field, path in {"key": key, "pkcs12": pkcs12}.items()
        if path is not None
    }
    if pkcs12 is not None:
        body["passphrase"] = files.secret(passphrase_file, "passphrase")
    body |= crls.body() | {
        "silo": silo,
        "region": region,
        "security_level": security_level,
        "name": name,
        "container": container,
        "offline": offline or None,
        "vault": vault,
        "token_label": token_label,
        "token_id": token_id,
        "signature_algorithm": signature_algorithm,
    }
    with api.open() as server:
        answer = server.post("authorities", "import", body=_given(body))
    output.show(answer, as_json=api.as_json, human=certificate_view.authority)


def _check_sources(
    certificate: Path | None,
    key: Path | None,
    pkcs12: Path | None,
    passphrase_file: Path | None,
    *,
    offline: bool,
    on_token: bool,
) -> None:
    """Refuse what contradicts itself: a key for an offline CA would be dropped in silence."""

    def usage(message: str, field: str, remedy: str | None = None) -> BadRequest:
        return BadRequest(message, field=field, rule="usage", remedy=remedy)

    if (certificate is None) == (pkcs12 is None):
        raise usage("give either CERTIFICATE or --pkcs12", "CERTIFICATE")
    if pkcs12 is not None and key is not None:
        raise usage("--pkcs12 holds the key already", "--key")
    if offline and (key is not None or pkcs12 is not None):
        raise usage(
            "an offline CA keeps its key elsewhere", "--offline", "leave --offline or the key out"
        )
    if not offline and not on_token and key is None and pkcs12 is None:
        raise usage(
            "no key is given",
            "--key",
            "give --key, --pkcs12 or --token-label; --offline if it never signs here",
        )
    if passphrase_file is not None and pkcs12 is None:
        raise usage(
            "a passphrase belongs to --pkcs12",
            "--passphrase-file",
            "decrypt the key first (openssl pkcs8), or import a PKCS#12",
        )


def _given(body: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in body.items() if value is not None}
