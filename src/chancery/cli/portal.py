"""``chancery portal``: what is open to people without an account."""

from typing import Annotated, Final, Literal

from cyclopts import Parameter

from chancery.cli import arguments, files, output
from chancery.cli.application import group
from chancery.cli.arguments import Days, Texts
from chancery.cli.client import Json
from chancery.cli.connection import DEFAULT, Connection
from chancery.cli.failures import told
from chancery.cli.submit import Names, Subject, read_csr, submission

app = group("portal")

_COLUMNS: Final = ("profile", "ra", "authority", "approvals", "keys", "description")
_REQUESTS: Final = ("id", "state", "profile", "subject", "created_at")
Profile = Annotated[str, Parameter(help="Certificate profile.")]
Ra = Annotated[str | None, Parameter(help="Registration authority, where several offer it.")]
Key = Annotated[str | None, Parameter(help="Kind of key: ec-p256, rsa-3072, ed25519, ...")]
_UNFIT: Final = 2  # as if it had been submitted and refused


@app.command
def profiles(*, api: Connection = DEFAULT) -> None:
    """List the profiles that anybody may ask for."""
    with api.open() as server:
        output.listing(
            server.items("portal", "profiles", limit=None), _COLUMNS, as_json=api.as_json
        )


@app.command
def recipe(
    profile: Profile,
    /,
    *,
    ra: Ra = None,
    key: Key = None,
    names: Names = (),
    subject: Annotated[Texts, Parameter(help="CN=www.example.org; repeatable.")] = (),
    api: Connection = DEFAULT,
) -> None:
    """Print the commands that make a CSR which fits a profile."""
    with api.open() as server:
        found = server.get(
            *("portal", "profiles", profile, "recipe"),
            ra=ra,
            key=key,
            names=arguments.names(names) or None,
            subject=list(subject) or None,
        )
    output.show(found, as_json=api.as_json, human=_recipe)


@app.command
def check(
    csr_file: files.Input,
    /,
    *,
    profile: Profile,
    ra: Ra = None,
    names: Names = (),
    subject: Subject = (),
    days: Days = None,
    api: Connection = DEFAULT,
) -> int:
    """Look at a CSR without submitting it: every fault, and what would become of it.

    Exits 2 if it would be refused.
    """
    body = submission(
        profile=profile, ra=ra, names=names, subject=subject, days=days, extension=()
    ) | read_csr(csr_file)
    with api.open() as server:
        answer = server.post("portal", "check", body=body)
    output.show(answer, as_json=api.as_json, human=_checked)
    return 0 if answer["fit"] else _UNFIT


@app.command
def requests(
    *,
    code: Annotated[
        str, Parameter(env_var="CHANCERY_REQUEST_CODE", help="The code given at submission.")
    ],
    api: Connection = DEFAULT,
) -> None:
    """List the requests that a code opens."""
    with api.open(anonymous=True) as server:
        items = server.items("portal", "requests", limit=None, code=code)
        output.listing(items, _REQUESTS, as_json=api.as_json)


@app.command
def authorities(*, api: Connection = DEFAULT) -> None:
    """List the CAs with the fingerprints of their certificates."""
    with api.open() as server:
        items = server.items("portal", "authorities", limit=None)
        if api.as_json:
            output.print_json(list(items))
            return
        for ca in items:
            for key in ca["keys"]:
                output.line(f"{key['label']}: {key['subject']}")
                output.line(f"  SHA-256 {_colons(key['sha256'])}")


@app.command
def bundle(
    *,
    format_: Annotated[
        Literal["pem", "p7", "mobileconfig"],
        Parameter(name="--format", help="mobileconfig is for Apple's systems."),
    ] = "pem",
    to: files.Output = None,
    force: files.Force = False,
    api: Connection = DEFAULT,
) -> None:
    """Fetch the root certificates in one file."""
    files.check_free(to, force=force)
    with api.open() as server:
        document = server.download("portal", "bundle", format=format_)
    files.deliver(document.data, to, force=force)
    output.delivered(to, len(document.data), as_json=api.as_json)


def _recipe(found: Json) -> None:
    for text in found["openssl"].splitlines():
        output.line(text)
    for note in found["notes"]:
        output.line(f"# {note}")


def _checked(answer: Json) -> None:
    for one in answer["changes"]:
        if one["fate"] != "kept":
            output.line(f"{one['fate']:8} {one['what']}: {_change(one)}")
    for one in answer["findings"]:
        output.line(f"{one['severity']}: {told(one | {'detail': one['message']})}")
    if answer["fit"]:
        people = answer["approvals"]
        output.line(
            f"fits; {people} must approve" if people else "fits; it would be issued at once"
        )


def _colons(digest: str) -> str:
    return ":".join(digest[at : at + 2].upper() for at in range(0, len(digest), 2))


def _change(one: Json) -> str:
    if one["asked"] is None:
        return str(one["becomes"])
    return str(one["asked"]) if one["becomes"] is None else f"{one['asked']} -> {one['becomes']}"
