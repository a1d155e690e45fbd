"""``chancery acme``: external account keys, accounts, orders, and early renewals."""

import time
from pathlib import Path
from typing import Annotated, Any, Final, Literal

from cyclopts import Parameter

from chancery.cli import arguments, credentials, files, output
from chancery.cli.application import group
from chancery.cli.connection import DEFAULT, Connection
from chancery.cli.credentials import Expires, Id, Label, Profile, Ra, State
from chancery.domain.acme_settings import AcmeSettings, check_settings

app = group("acme")
eab = group("eab")
account = group("account")
order = group("order")
eab.help = "External account keys: who may open an account."
account.help = "Accounts that clients opened."
order.help = "What accounts ordered."
for one in (eab, account, order):
    app.command(one)

_ACCOUNTS: Final = ("id", "door", "status", "reference", "contacts", "created_at")
_ORDERS: Final = ("id", "door", "status", "identifiers", "profile", "created_at")
_EARLY: Final = (
    *("id", "authority", "profile", "serial", "issued_before", "start_at", "end_at", "created_by"),
)
SomeRa = Annotated[str | None, Parameter(help="Those of this RA.")]
DoorName = Annotated[str | None, Parameter(help="Those of this door: acme/main.")]


@eab.command
def create(
    *,
    ra: Ra,
    kid: Annotated[str | None, Parameter(help="The key identifier; one is made else.")] = None,
    suffix: Annotated[
        tuple[str, ...],
        Parameter(
            name="--subject-suffix",
            help="What may be ordered: www.example.org, or all below .example.org; repeatable.",
        ),
    ] = (),
    profile: Profile = None,
    expires: Expires = "never",
    uses: Annotated[
        int | None, Parameter(help="How many certificates; any number otherwise.")
    ] = None,
    note: str = "",
    label: Label = None,
    api: Connection = DEFAULT,
) -> None:
    """Make a key with which one ACME client opens one account."""
    binding = {"name_patterns": list(suffix), "profile": profile}
    with api.open() as server:
        door = credentials.door_of(server, "acme", ra, label)
        made = dict(
            credentials.create(
                server,
                door,
                "account",
                reference=kid,
                binding=output.given(binding),
                uses=uses,
                expires_s=None if expires is None else credentials.span(expires),
                note=note,
            )
        )
    shown = {
        "id": made["id"],
        "kid": made["reference"],
        "hmac_key": made["secret"],
        "door": door,
        "expires_at": made["expires_at"],
    }
    output.show(shown, as_json=api.as_json)


@eab.command(name="list")
def list_(
    *, ra: SomeRa = None, label: Label = None, state: State = None, api: Connection = DEFAULT
) -> None:
    """List external account keys; the keys themselves are not shown again."""
    credentials.listing(api, "acme", ra, label, state)


@eab.command
def revoke(eab_id: Id, /, *, api: Connection = DEFAULT) -> None:
    """Close a key: its account orders nothing more, what was issued stays valid."""
    credentials.revoke(api, eab_id)


@account.command(name="list")
def list_accounts(
    *,
    door: DoorName = None,
    status: Literal["valid", "deactivated", "revoked"] | None = None,
    api: Connection = DEFAULT,
) -> None:
    """List the accounts, newest first."""
    with api.open() as server:
        found = server.items("acme", "accounts", limit=None, door=door, status=status)
        output.listing(found, _ACCOUNTS, as_json=api.as_json)


@account.command(name="show")
def show_account(account_id: Id, /, *, api: Connection = DEFAULT) -> None:
    """Show an account."""
    with api.open() as server:
        output.show(server.get("acme", "accounts", account_id), as_json=api.as_json)


@account.command
def deactivate(account_id: Id, /, *, api: Connection = DEFAULT) -> None:
    """End an account: it orders nothing more, what was issued stays valid."""
    with api.open() as server:
        found = server.post("acme", "accounts", account_id, "deactivate")
        output.show(found, as_json=api.as_json)


@order.command(name="list")
def list_orders(
    *,
    door: DoorName = None,
    account_id: Annotated[
        str | None, Parameter(name="--account", help="Those of this account.")
    ] = None,
    status: Literal["pending", "processing", "valid", "invalid"] | None = None,
    api: Connection = DEFAULT,
) -> None:
    """List the orders, newest first."""
    where = {"door": door, "account": account_id, "status": status}
    with api.open() as server:
        found = server.items("acme", "orders", limit=None, **where)
        output.listing(found, _ORDERS, as_json=api.as_json)


@order.command(name="show")
def show_order(order_id: Id, /, *, api: Connection = DEFAULT) -> None:
    """Show an order, and how each of its names was proved."""
    with api.open() as server:
        output.show(server.get("acme", "orders", order_id), as_json=api.as_json)


@app.command
def renew_early(
    *,
    authority: Annotated[str | None, Parameter(help="Certificates of this CA.")] = None,
    profile: Annotated[str | None, Parameter(help="Of this profile.")] = None,
    serial: Annotated[str | None, Parameter(help="The one with this serial, in hex.")] = None,
    issued_before: Annotated[
        str | None, Parameter(help="Issued before then: -1d, 2026-11-01, 2026-11-01T12:00:00Z.")
    ] = None,
    within: Annotated[str, Parameter(help="How long clients may take: 24h, 7d.")] = "24h",
    explanation: Annotated[str, Parameter(help="A URL that tells people why.")] = "",
    note: str = "",
    api: Connection = DEFAULT,
) -> None:
    """Have ACME clients renew now what fits, before a rotation or a mass revocation.

    Clients that ask for renewal information (RFC 9773) follow within hours.
    """
    body: dict[str, Any] = {
        "authority": authority,
        "profile": profile,
        "serial": serial,
        "issued_before": arguments.when(issued_before, time.time(), "--issued-before"),
        "lasting_s": credentials.span(within) or 86_400,
        "explanation": explanation,
        "note": note,
    }
    with api.open() as server:
        made = server.post("acme", "early-renewals", body=output.given(body))
    output.show(made, as_json=api.as_json)


@app.command
def renewals(*, api: Connection = DEFAULT) -> None:
    """List what is to be renewed early."""
    with api.open() as server:
        found = server.items("acme", "early-renewals", limit=None)
        output.listing(found, _EARLY, as_json=api.as_json)


@app.command
def renew_normally(early_id: Id, /, *, api: Connection = DEFAULT) -> None:
    """Take an early renewal back."""
    with api.open() as server:
        server.delete("acme", "early-renewals", early_id)
    output.done(early_id, "taken back", as_json=api.as_json)


@app.command
def vantage(
    *,
    certificate: Annotated[Path, Parameter(help="Its TLS certificate with its chain, PEM.")],
    key: Annotated[Path, Parameter(help="The key of it, PEM.")],
    secret_file: Annotated[Path, Parameter(help="File with the word that the CA shows.")],
    host: Annotated[str, Parameter(help="Address to listen on.")] = "0.0.0.0",  # noqa: S104
    port: int = 9443,
    resolver: Annotated[
        tuple[str, ...], Parameter(help="A resolver of its own; repeatable; else the system's.")
    ] = (),
    network: Annotated[
        tuple[str, ...], Parameter(help="A private range that it may reach; repeatable.")
    ] = (),
) -> None:
    """Serve as a vantage point: look at names for a CA elsewhere, from where this runs.

    The door of the CA names it in its setting `vantages`.
    """
    from chancery.app.vantage import VantageServer  # noqa: PLC0415 - loads the validation

    settings = AcmeSettings(resolvers=resolver, networks=network)
    check_settings(settings)
    secret = files.secret(secret_file, "secret")
    server = VantageServer((host, port), (certificate, key), secret, settings)
    output.done(f"{host}:{server.port}", "listening", as_json=False)
    server.run()
