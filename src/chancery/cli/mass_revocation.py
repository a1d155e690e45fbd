"""``chancery certificate revoke-matching``: look first, then revoke exactly that."""

import time
from typing import Annotated, Literal

from cyclopts import Parameter

from chancery.cli import arguments, operation, output
from chancery.cli.arguments import Time
from chancery.cli.client import Json
from chancery.cli.connection import DEFAULT, Connection
from chancery.cli.failures import note
from chancery.domain.errors import BadRequest

Reason = Literal[
    "unspecified",
    "keyCompromise",
    "cACompromise",
    "affiliationChanged",
    "superseded",
    "cessationOfOperation",
    "privilegeWithdrawn",
    "aACompromise",
]
_COLUMNS = ("serial", "status", "authority", "subject", "profile", "not_after")


def revoke_matching(
    *,
    reason: Annotated[Reason, Parameter(help="CRLReason.")],
    authority: Annotated[str | None, Parameter(help="Those of this CA.")] = None,
    profile: Annotated[str | None, Parameter(help="Those of this profile.")] = None,
    requester: Annotated[str | None, Parameter(help="Those this account asked for.")] = None,
    subject: Annotated[str | None, Parameter(help="With this subject; * matches any end.")] = None,
    name: Annotated[
        str | None, Parameter(help="With this name: www.example.org, dns:www.*, ip:10.0.0.1.")
    ] = None,
    serial: Annotated[str | None, Parameter(help="With this serial; * matches any end.")] = None,
    sha256: Annotated[str | None, Parameter(help="With this fingerprint.")] = None,
    key_sha256: Annotated[str | None, Parameter(help="With this key: SHA-256 of its SPKI.")] = None,
    request_id: Annotated[str | None, Parameter(help="Issued for this request.")] = None,
    status: Annotated[
        Literal["valid", "held"] | None, Parameter(help="Only valid ones, or only held ones.")
    ] = None,
    expires_before: Time = None,
    expires_after: Time = None,
    invalidity_date: Annotated[
        Time, Parameter(help="Since when the keys are known or suspected to be bad: -3d.")
    ] = None,
    comment: Annotated[str, Parameter(help="Why; it goes into the audit log.")] = "",
    dry_run: Annotated[bool, Parameter(help="Only show what would be revoked.")] = False,
    yes: operation.Yes = False,
    no_wait: operation.NoWait = False,
    api: Connection = DEFAULT,
) -> int:
    """Revoke every certificate that meets all conditions given: shown first, then asked.

    What is revoked already or has expired does not count.  If anything else
    changes between the look and your yes, nothing is done.
    """
    now = time.time()
    where = output.given(
        {
            "authority": authority,
            "profile": profile,
            "requester": requester,
            "subject": subject,
            "name": name,
            "serial": serial,
            "sha256": sha256.lower() if sha256 is not None else None,
            "request_id": request_id,
            "key_sha256": key_sha256.lower() if key_sha256 is not None else None,
            "status": status,
            "expires_before": arguments.when(expires_before, now, "--expires-before"),
            "expires_after": arguments.when(expires_after, now, "--expires-after"),
        }
    )
    since = arguments.when(invalidity_date, now, "--invalidity-date")
    with api.open() as server:
        seen = server.post("operations", "revoke", "preview", body={"filter": where})
        if dry_run:
            output.show(seen, as_json=api.as_json, human=_preview)
            return 0
        if not seen["count"]:
            raise BadRequest("no certificate meets the conditions", field="filter")
        if not yes:
            _preview(seen)
        operation.confirm(f"revoke {seen['count']} certificates ({reason})", yes=yes)
        body: Json = {"filter": where, "reason": reason, "comment": comment}
        body |= {key: seen[key] for key in ("as_of", "count", "sha256")}
        if since is not None:
            body["invalidity_date"] = since
        begun = server.post("operations", "revoke", body=body)
        return operation.told(server, begun, api, no_wait=no_wait)


def _preview(seen: Json) -> None:
    for part in seen["parts"]:
        note(f"{part['count']} of {part['profile']} from {part['authority']}")
    output.table(seen["first"], _COLUMNS)
    if len(seen["first"]) < seen["count"]:
        note(f"these are {len(seen['first'])} of {seen['count']}")
