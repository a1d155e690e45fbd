"""``chancery ceremony``: an offline root on files, with the people who stand around it."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Final

from cyclopts import Parameter

from chancery.cli import ceremony_script, files, output
from chancery.cli.application import group
from chancery.cli.arguments import AT_LEAST_ONE, NOT_NEGATIVE, ReasonName, Serial
from chancery.cli.arguments import serial as serial_number
from chancery.cli.instance import AsJson
from chancery.domain.algorithms import KeyAlgorithm, SignatureAlgorithm
from chancery.domain.authority import CrlIdp
from chancery.domain.errors import BadRequest, NotPermitted, SignerRefused, Unavailable

app = group("ceremony")
app.command(ceremony_script.plan)
app.command(ceremony_script.run)
app.command(ceremony_script.rehearse)
app.command(ceremony_script.verify)

Directory = Annotated[Path, Parameter(help="Directory of the root: on removable media, say.")]
Operators = Annotated[
    tuple[str, ...],
    Parameter(name="--operator", help="A person who is present; repeatable: name every one."),
]
PassphraseFile = Annotated[
    Path | None,
    Parameter(
        help="File of mode 0600 with the passphrase of the vault; "
        "without it, unseal.key in DIRECTORY opens it."
    ),
]
Out = Annotated[Path, Parameter(name=["--out", "--output", "-o"], help="File to write.")]
PathLength = Annotated[int | None, Parameter(validator=NOT_NEGATIVE, help="CAs allowed below it.")]
_MAX_CSR: Final = 64 * 1_024  # octets


@app.command
def init_root(
    directory: Directory,
    /,
    *,
    subject: Annotated[str, Parameter(help="Its name: CN=Example Root,O=Example,C=DE.")],
    algorithm: Annotated[KeyAlgorithm, Parameter(help="Kind of key.")] = KeyAlgorithm.EC_P384,
    signature: Annotated[
        SignatureAlgorithm | None, Parameter(help="How it signs; else what fits the key.")
    ] = None,
    years: Annotated[int, Parameter(validator=AT_LEAST_ONE, help="Validity.")] = 20,
    path_length: PathLength = None,
    operator: Operators = ("operator",),
    name: Annotated[str, Parameter(help="Name in URLs.")] = "root",
    http: Annotated[str, Parameter(help="Base URL under which CRL and certificate will be.")] = "",
    crl_idp: Annotated[
        CrlIdp, Parameter(help="full: its CRLs say where they are found; needs --http.")
    ] = CrlIdp.NONE,
    passphrase_file: PassphraseFile = None,
    as_json: AsJson = False,
) -> None:
    """Make an offline root.  As many people as are named now must be named at each later act."""
    from chancery.ceremony import commands  # noqa: PLC0415 - loads the signer

    with on_files():
        facts = commands.init_root(
            directory,
            subject=subject,
            algorithm=algorithm,
            signature=signature,
            years=years,
            path_length=path_length,
            operator=operator,
            name=name,
            http=http,
            crl_idp=crl_idp,
            passphrase_file=passphrase_file,
        )
    output.show(facts, as_json=as_json)


@app.command
def sign_subordinate(
    directory: Directory,
    /,
    *,
    csr: Annotated[Path, Parameter(help="CSR of the CA to certify (`ca csr` fetches it).")],
    out: Out,
    path_length: PathLength = None,
    years: Annotated[int, Parameter(validator=AT_LEAST_ONE, help="Validity.")] = 10,
    operator: Operators = ("operator",),
    passphrase_file: PassphraseFile = None,
    force: files.Force = False,
    as_json: AsJson = False,
) -> None:
    """Certify a CA below the root; `ca upload` takes the file: its certificate and the root."""
    from chancery.ceremony import commands  # noqa: PLC0415

    files.check_free(out, force=force)
    files.refuse_private_key(files.read(csr, _MAX_CSR, "csr.size"), str(csr))
    with on_files():
        facts = commands.sign_subordinate(
            directory,
            csr=csr,
            out=out,
            path_length=path_length,
            years=years,
            operator=operator,
            passphrase_file=passphrase_file,
        )
    output.show(facts, as_json=as_json)


@app.command
def crl(
    directory: Directory,
    /,
    *,
    out: Out,
    revoke: Annotated[Serial | None, Parameter(help="Serial to revoke first, in hex.")] = None,
    reason: Annotated[ReasonName, Parameter(help="CRLReason of that.")] = "unspecified",
    days: Annotated[int, Parameter(validator=AT_LEAST_ONE, help="How long the CRL stands.")] = 180,
    crl_idp: Annotated[
        CrlIdp | None, Parameter(help="full: it says where it is found; else as at init-root.")
    ] = None,
    operator: Operators = ("operator",),
    passphrase_file: PassphraseFile = None,
    force: files.Force = False,
    as_json: AsJson = False,
) -> None:
    """Sign the root's next CRL (DER)."""
    from chancery.ceremony import commands  # noqa: PLC0415

    files.check_free(out, force=force)
    with on_files():
        facts = commands.crl(
            directory,
            out=out,
            revoke=serial_number(revoke) if revoke is not None else None,
            reason="certificateHold" if reason == "hold" else reason,
            days=days,
            crl_idp=crl_idp,
            operator=operator,
            passphrase_file=passphrase_file,
        )
    output.show(facts, as_json=as_json)


@contextmanager
def on_files() -> Iterator[None]:
    """No server is involved: what fails is a file that was named, or a person who is missing."""
    try:
        yield
    except SignerRefused as error:
        if error.rule != "signer.approvals":
            raise
        raise NotPermitted(
            str(error),
            field="--operator",
            rule=error.rule,
            remedy="name everyone who was named when the root was made",
        ) from error
    except Unavailable as error:
        raise BadRequest(
            str(error), field=error.field, rule=error.rule, remedy=error.remedy
        ) from error
    except OSError as error:
        raise BadRequest(
            (error.strerror or str(error)).lower(), field=str(error.filename or "file")
        ) from error
