"""``chancery va``: a validation authority that stands alone, on its own machine."""

import dataclasses
from pathlib import Path
from typing import Annotated, Final

from cyclopts import Parameter

from chancery.cli import files, output
from chancery.cli.application import group
from chancery.cli.instance import AsJson, Config
from chancery.domain.algorithms import KeyAlgorithm

app = group("va")

_MAX: Final = 64 * 1024  # octets of a certificate


@app.command
def init(
    directory: Annotated[Path, Parameter(help="Where; must be empty or not exist.")],
    /,
    *,
    database: Annotated[
        str, Parameter(help="postgresql://..., an account that only reads; or sqlite:////feed.")
    ],
    http_port: Annotated[int, Parameter(help="Port for OCSP.")] = 8080,
    host: Annotated[str, Parameter(help="Address to listen on.")] = "127.0.0.1",
    as_json: AsJson = False,
) -> None:
    """Make a validation authority's directory: settings, and a vault for keys of its own."""
    from chancery.app.va_setup import init as make  # noqa: PLC0415 - loads the signer

    config = make(directory, host=host, port=http_port, database=database)
    output.show({"config": str(config.resolve())}, as_json=as_json)


@app.command
def request(
    ca: Annotated[Path, Parameter(help="Certificate (PEM or DER) of the CA to answer for.")],
    /,
    *,
    config: Config,
    algorithm: Annotated[KeyAlgorithm | None, Parameter(help="Of a new key.")] = None,
    to: files.Output = None,
    force: files.Force = False,
) -> None:
    """Write the CSR by which a CA appoints this validation authority.

    Have it issued with the profile ocsp-signer.  The key is made the first time.
    """
    from chancery.app.va_setup import request as ask  # noqa: PLC0415 - loads the signer
    from chancery.wire import pem  # noqa: PLC0415

    files.check_free(to, force=force)
    data = files.read(ca, _MAX)
    der = data if pem.is_der(data) else pem.decode(data, ("CERTIFICATE",), _MAX)[1]
    files.deliver(ask(config, der, algorithm).encode(), to, force=force)


@app.command
def renew(
    *,
    config: Config,
    now: Annotated[
        bool, Parameter(help="Also those whose half life has not come.", negative=())
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Ask the CA for certificates that are past half their life, and take what was issued.

    A running service does it by itself where va.toml has [renewal].
    """
    from chancery.app.va_setup import renew as step  # noqa: PLC0415 - loads the signer

    rows = [dataclasses.asdict(one) for one in step(config, now=now)]
    output.listing(rows, ("file", "state", "request"), as_json=as_json)


@app.command
def install(
    certificate: Annotated[Path, Parameter(help="Responder certificate (PEM or DER) from the CA.")],
    /,
    *,
    config: Config,
    as_json: AsJson = False,
) -> None:
    """Put a responder certificate in place; a running service takes it up within a second."""
    from chancery.app.va_setup import install as put  # noqa: PLC0415 - loads the signer

    output.show({"file": str(put(config, files.read(certificate, _MAX)))}, as_json=as_json)
