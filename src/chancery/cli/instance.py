"""Making, checking and running an instance: the commands that need no server."""

import json
import shlex
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any

from cyclopts import Parameter

from chancery.app.roles import ServeRole
from chancery.cli import output
from chancery.cli.failures import OK, USAGE
from chancery.domain.errors import Unavailable

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
        str | None, Parameter(help="postgresql://... or nothing for SQLite.")
    ] = None,
    passphrase_file: Annotated[
        Path | None,
        Parameter(
            help="File with a passphrase to seal the keys with; else a random key file does."
        ),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Make a complete instance, and show where everything is."""
    from chancery.app.quickstart import quickstart as make  # noqa: PLC0415 - loads the server

    with local_database("--database"):
        facts = make(
            directory,
            http_port=http_port,
            https_port=https_port,
            database=database,
            passphrase_file=passphrase_file,
        )
    home = directory.resolve()
    shown = _without_secrets(json.loads(json.dumps(facts, default=str)))
    paths = {"directory": str(home), "facts_file": str(home / "quickstart.json")}
    output.show(paths | shown, as_json=as_json, human=_summary)


_ROLE = """What to run: all of it, or one role whose processes may stand alone.
web: OCSP, CRLs, API and pages; signer: the keys; jobs: the schedule;
ra: a registration authority on a host of its own, with an ra.toml;
va: a validation authority that stands alone, with a va.toml."""


def serve(
    *,
    config: Config,
    role: Annotated[ServeRole, Parameter(help=_ROLE)] = ServeRole.ALL,
) -> None:
    """Run an instance in the foreground until it is told to stop.

    Exit code 7 if a part of it cannot start; the log says why.
    """
    from chancery.app import serve as run  # noqa: PLC0415 - loads the server

    run(config, role)


def check(
    *,
    config: Config,
    connect: Annotated[
        bool, Parameter(help="Ask every directory and identity provider, or the centre, too.")
    ] = False,
    as_json: AsJson = False,
) -> int:
    """Check a configuration without starting anything; 0 when there is nothing to say."""
    from chancery.app import check_config  # noqa: PLC0415 - loads the server

    findings = [str(finding) for finding in check_config(config, connect=connect)]
    if as_json:
        output.print_json(findings)
    else:
        for finding in findings:
            output.line(str(finding))
        if not findings:
            output.line(f"{config}: no findings")
    return USAGE if findings else OK


def renew_certificate(*, config: Config, as_json: AsJson = False) -> None:
    """Make a new certificate for the service itself, now; it is taken up without a restart.

    The signer must be running.  It renews by itself at half of its life: this
    is the way out when that has failed for long.
    """
    from chancery.app import renew_own_certificate  # noqa: PLC0415 - loads the server

    with local_database("database.url_file"):
        ends = renew_own_certificate(config)
    output.show({"not_after": ends}, as_json=as_json)


@contextmanager
def local_database(field: str) -> Iterator[None]:
    """There is no server here whose log could be looked at: the cause is on standard error."""
    try:
        yield
    except Unavailable as error:
        if error.rule != "storage.unavailable":
            raise
        raise Unavailable(
            str(error),
            field=field,
            rule=error.rule,
            remedy="is it running, and is this its URL?",
        ) from error


def _without_secrets(facts: dict[str, Any]) -> dict[str, Any]:
    """Terminals are recorded and logs are kept: passwords stay in the file (0600)."""
    users = {
        name: {key: value for key, value in about.items() if key != "password"}
        for name, about in facts.get("users", {}).items()
    }
    return facts | {"users": users}


def _summary(shown: dict[str, Any]) -> None:
    output.record({key: value for key, value in shown.items() if key != "users"})
    output.table(
        [{"user": name} | about for name, about in shown["users"].items()],
        ("user", "roles", "token_file"),
    )
    first: dict[str, Any] = next(iter(shown["users"].values()), {})
    output.line("")
    output.line(f"Passwords are in {shown['facts_file']}.  Start it, and sign in:")
    output.line(f"  chancery serve --config {shlex.quote(shown['directory'] + '/chancery.toml')}")
    for name, value in (
        ("CHANCERY_URL", shown.get("https")),
        ("CHANCERY_CA_BUNDLE", shown.get("ca_bundle")),
        ("CHANCERY_TOKEN_FILE", first.get("token_file")),
    ):
        output.line(f"  export {name}={shlex.quote(str(value))}")
