"""``chancery bench``: what measurements need."""

import sys
import time
from typing import Annotated

from cyclopts import Parameter
from cyclopts.types import NonNegativeInt, PositiveInt

from chancery.cli import output
from chancery.cli.application import group
from chancery.cli.instance import AsJson, Config

app = group("bench")


@app.command
def generate(
    *,
    config: Config,
    certificates: Annotated[PositiveInt, Parameter(help="How many.")],
    revoked: Annotated[NonNegativeInt, Parameter(help="How many of them are revoked.")] = 0,
    as_json: AsJson = False,
) -> None:
    """Fill an instance that is not running with certificates of real structure.

    For measurements alone: they have no signature of their own and no place in
    the audit log.  An instance with certificates that people asked for is refused.
    """
    from chancery.app.generation import fill  # noqa: PLC0415 - loads the server

    began = time.monotonic()
    shown = sys.stderr.isatty()

    def told(done: int) -> None:
        if shown:
            sys.stderr.write(f"\r{done:12,d} certificates")
            sys.stderr.flush()

    fill(config, certificates, revoked, told)
    if shown:
        sys.stderr.write("\n")
    spent = round(time.monotonic() - began, 1)
    answer = {"certificates": certificates, "revoked": revoked, "seconds": spent}
    output.show(answer, as_json=as_json)
