"""``chancery ceremony``: an offline root on files, with the people who stand around it."""

from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from chancery.cli import files
from chancery.cli.application import group
from chancery.cli.arguments import ReasonName, Serial
from chancery.cli.arguments import serial as serial_number
from chancery.domain.algorithms import KeyAlgorithm, SignatureAlgorithm

app = group("ceremony")

Directory = Annotated[Path, Parameter(help="Directory of the root: on removable media, say.")]
Operators = Annotated[
    tuple[str, ...],
    Parameter(name="--operator", help="A person who is present; repeatable: name every one."),
]
PassphraseFile = Annotated[
    Path | None, Parameter(help="File with the passphrase of the key; else you are asked for it.")
]
Out = Annotated[Path, Parameter(name=["--out", "--output", "-o"], help="File to write.")]
PathLength = Annotated[int | None, Parameter(help="CAs allowed below it.")]


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
    years: Annotated[int, Parameter(help="Validity.")] = 20,
    path_length: PathLength = None,
    operator: Operators = ("operator",),
    name: Annotated[str, Parameter(help="Name in URLs.")] = "root",
    http: Annotated[str, Parameter(help="Base URL under which CRL and certificate will be.")] = "",
    passphrase_file: PassphraseFile = None,
) -> None:
    """Make an offline root.  As many people as are named now must be named at each later act."""
    from chancery.ceremony import commands  # noqa: PLC0415 - loads the signer

    commands.init_root(
        directory,
        subject=subject,
        algorithm=algorithm,
        signature=signature,
        years=years,
        path_length=path_length,
        operator=operator,
        name=name,
        http=http,
        passphrase_file=passphrase_file,
    )


@app.command
def sign_subordinate(
    directory: Directory,
    /,
    *,
    csr: Annotated[Path, Parameter(help="CSR of the CA to certify (`ca csr` fetches it).")],
    out: Out,
    path_length: PathLength = None,
    years: Annotated[int, Parameter(help="Validity.")] = 10,
    operator: Operators = ("operator",),
    passphrase_file: PassphraseFile = None,
    force: files.Force = False,
) -> None:
    """Certify a CA below the root; `ca upload` takes the file: its certificate and the root."""
    from chancery.ceremony import commands  # noqa: PLC0415

    files.check_free(out, force=force)
    commands.sign_subordinate(
        directory,
        csr=csr,
        out=out,
        path_length=path_length,
        years=years,
        operator=operator,
        passphrase_file=passphrase_file,
    )


@app.command
def crl(
    directory: Directory,
    /,
    *,
    out: Out,
    revoke: Annotated[Serial | None, Parameter(help="Serial to revoke first, in hex.")] = None,
    reason: Annotated[ReasonName, Parameter(help="CRLReason of that.")] = "unspecified",
    days: Annotated[int, Parameter(help="How long the CRL stands.")] = 180,
    operator: Operators = ("operator",),
    passphrase_file: PassphraseFile = None,
    force: files.Force = False,
) -> None:
    """Sign the root's next CRL (DER)."""
    from chancery.ceremony import commands  # noqa: PLC0415

    files.check_free(out, force=force)
    commands.crl(
        directory,
        out=out,
        revoke=serial_number(revoke) if revoke is not None else None,
        reason="certificateHold" if reason == "hold" else reason,
        days=days,
        operator=operator,
        passphrase_file=passphrase_file,
    )
