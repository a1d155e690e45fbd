"""Making, checking and running an instance: the commands that need no server."""

import json
from pathlib import Path
from typing import Annotated, Any

from cyclopts import Parameter

from chancery.cli import output
from chancery.cli.failures import OK, USAGE
from chancery.cli.text import clean

Config = Annotated[
    Path, Parameter(name="--config", env_var="CHANCERY_CONFIG", help="The chancery.toml.")
]
AsJson = Annotated[bool, Parameter(name="--json", help="Print JSON on stdout.")]


def quickstart(
    directory: Annotated[Path, Parameter(help="Where; must be empty or not exist.")],
    /,
    *,
    http_port: Annotated[int | None, Parameter(help="Port for CRLs and OCSP.")] = None,
    https_port: Annotated[int | None, Parameter(help="Port for the API and the web pages.")] = None,
    database: Annotated[
        str | None, Parameter(help="postgresql+psycopg://... or nothing for SQLite.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Make a complete instance, and show where everything is."""
    from chancery.app.quickstart import quickstart as make  # noqa: PLC0415 - loads the server

    made = make(directory, http_port=http_port, https_port=https_port, database=database)
    output.show(json.loads(json.dumps(made, default=str)), as_json=as_json, human=_summary)


def serve(*, config: Config) -> int:
    """Run an instance in the foreground until it is told to stop."""
    from chancery.app import serve as run  # noqa: PLC0415 - loads the server

    return int(run(config))


def check(*, config: Config, as_json: AsJson = False) -> int:
    """Check a configuration without starting anything; 0 when there is nothing to say."""
    from chancery.app import check_config  # noqa: PLC0415 - loads the server

    findings = [str(finding) for finding in check_config(config)]
    if as_json:
        output.print_json(findings)
    else:
        for finding in findings:
            output.line(str(finding))
        if not findings:
            print(f"{clean(str(config))}: no findings")
    return USAGE if findings else OK


def _summary(made: dict[str, Any]) -> None:
    output.record(made)
    url, bundle = made.get("url"), made.get("ca_bundle")
    if url and bundle:
        print("\nNext:")
        print(f"  export CHANCERY_URL={clean(str(url))} CHANCERY_CA_BUNDLE={clean(str(bundle))}")
