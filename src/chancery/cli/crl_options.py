"""Which CRLs an authority makes: the options that ``ca create``, ``import`` and ``edit`` share."""

from dataclasses import dataclass
from typing import Annotated, Any, Final, Literal

from cyclopts import Group, Parameter

from chancery.cli.arguments import NOT_NEGATIVE

_GROUP: Final = Group("CRLs", sort_key=50)
_HOUR_S: Final = 3_600
_MINUTE_S: Final = 60


@Parameter(name="*", group=_GROUP)
@dataclass(frozen=True, kw_only=True)
class CrlOptions:
    """What is not given stays as it is, or is the usual."""

    crl_hours: Annotated[int | None, Parameter(help="Hours until a CRL lapses.")] = None
    crl_every_hours: Annotated[
        int | None, Parameter(help="Hours between CRLs; at most half of that.")
    ] = None
    crl_idp: Annotated[
        Literal["none", "full"] | None,
        Parameter(help="full: its CRLs say where they are found (issuingDistributionPoint)."),
    ] = None
    crl_url: Annotated[
        tuple[str, ...],
        Parameter(
            name="--crl-url",
            help="Where its CRLs are found; repeatable. Else {http}/crl/{ca}.crl, as in profiles.",
        ),
    ] = ()
    crl_delta_minutes: Annotated[
        int | None, Parameter(validator=NOT_NEGATIVE, help="Minutes between deltas; 0: no deltas.")
    ] = None
    crl_on_revocation: Annotated[
        Literal["all", "delta"] | None,
        Parameter(
            help="What a revocation brings at once, beside its shard: the full CRL and the delta, "
            "or only the delta."
        ),
    ] = None
    crl_jitter_minutes: Annotated[
        int | None,
        Parameter(validator=NOT_NEGATIVE, help="nextUpdate comes up to so much earlier."),
    ] = None
    crl_shards: Annotated[
        int | None,
        Parameter(validator=NOT_NEGATIVE, help="Shards for certificates to come; 0: none."),
    ] = None
    crl_ca_list: Annotated[
        bool | None, Parameter(help="A CRL of CA certificates alone, beside the others.")
    ] = None
    crl_keep_expired: Annotated[
        bool | None, Parameter(help="Expired certificates stay listed (ExpiredCertsOnCRL).")
    ] = None
    crl_indirect: Annotated[
        tuple[str, ...],
        Parameter(
            name="--crl-indirect",
            help="CA whose certificates an indirect CRL lists too; repeatable; none: no such CRL.",
        ),
    ] = ()

    def body(self) -> dict[str, Any]:
        """The members of a request's body; None: not given."""
        return {
            "crl_lifetime_s": _times(self.crl_hours, _HOUR_S),
            "crl_every_s": _times(self.crl_every_hours, _HOUR_S),
            "crl_idp": self.crl_idp,
            "crl_urls": list(self.crl_url) or None,
            "crl_delta_every_s": _times(self.crl_delta_minutes, _MINUTE_S),
            "crl_on_revocation": self.crl_on_revocation,
            "crl_jitter_s": _times(self.crl_jitter_minutes, _MINUTE_S),
            "crl_shards": self.crl_shards,
            "crl_ca_list": self.crl_ca_list,
            "crl_keep_expired": self.crl_keep_expired,
            "crl_indirect": _names(self.crl_indirect),
        }


USUAL_CRLS: Final = CrlOptions()


def _times(number: int | None, seconds: int) -> int | None:
    return None if number is None else number * seconds


def _names(given: tuple[str, ...]) -> list[str] | None:
    if not given:
        return None
    return [] if given == ("none",) else list(given)
