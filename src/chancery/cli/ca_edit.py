"""``chancery ca edit``: labels, and what CRLs an authority makes."""

from typing import Annotated, Final, Literal

from cyclopts import Parameter

from chancery.cli import certificate_view, output
from chancery.cli.arguments import NOT_NEGATIVE
from chancery.cli.ca_new import (
    CrlEvery,
    CrlHours,
    CrlIdp,
    CrlUrl,
    Region,
    Silo,
    labels,
)
from chancery.cli.connection import DEFAULT, Connection

_MINUTE_S: Final = 60


def edit(
    name: Annotated[str, Parameter(help="Name of the CA.")],
    /,
    *,
    silo: Silo = None,
    region: Region = None,
    crl_hours: CrlHours = None,
    crl_every_hours: CrlEvery = None,
    crl_idp: CrlIdp = None,
    crl_url: CrlUrl = (),
    crl_delta_minutes: Annotated[
        int | None, Parameter(validator=NOT_NEGATIVE, help="Minutes between deltas; 0: no deltas.")
    ] = None,
    crl_on_revocation: Annotated[
        Literal["all", "delta"] | None,
        Parameter(help="What a revocation brings at once: every CRL, or only the delta."),
    ] = None,
    crl_jitter_minutes: Annotated[
        int | None,
        Parameter(validator=NOT_NEGATIVE, help="nextUpdate comes up to so much earlier."),
    ] = None,
    crl_shards: Annotated[
        int | None,
        Parameter(validator=NOT_NEGATIVE, help="Shards for certificates to come; 0: none."),
    ] = None,
    crl_ca_list: Annotated[
        bool | None, Parameter(help="A CRL of CA certificates alone, beside the others.")
    ] = None,
    crl_keep_expired: Annotated[
        bool | None, Parameter(help="Expired certificates stay listed (ExpiredCertsOnCRL).")
    ] = None,
    crl_indirect: Annotated[
        tuple[str, ...],
        Parameter(
            name="--crl-indirect",
            help="CA whose certificates an indirect CRL lists too; repeatable; none: no such CRL.",
        ),
    ] = (),
    api: Connection = DEFAULT,
) -> None:
    """Change the labels of an authority, and what its CRLs say and how often they come."""
    body = labels(silo, region, crl_hours, crl_every_hours, crl_idp, crl_url) | {
        "crl_delta_every_s": _seconds(crl_delta_minutes),
        "crl_on_revocation": crl_on_revocation,
        "crl_jitter_s": _seconds(crl_jitter_minutes),
        "crl_shards": crl_shards,
        "crl_ca_list": crl_ca_list,
        "crl_keep_expired": crl_keep_expired,
        "crl_indirect": _names(crl_indirect),
    }
    with api.open() as server:
        answer = server.patch("authorities", name, body=output.given(body))
    output.show(answer, as_json=api.as_json, human=certificate_view.authority)


def _seconds(minutes: int | None) -> int | None:
    return None if minutes is None else minutes * _MINUTE_S


def _names(given: tuple[str, ...]) -> list[str] | None:
    if not given:
        return None
    return [] if given == ("none",) else list(given)
