"""Which CRLs an authority may choose to make: deltas, shards, of CAs alone, indirect."""

from typing import Final

from chancery.domain.authority import Authority
from chancery.domain.crl import MAX_PARTITIONS, MAX_SHARDS, CrlTrigger
from chancery.domain.errors import BadRequest
from chancery.ports import Session

_LEAST_DELTA_S: Final = 60
_MAX_INDIRECT: Final = 64


def repartitioned(before: tuple[int, ...], shards: int) -> tuple[int, ...]:
    """The partitions after a change; certificates point to those there were."""
    if shards == (before[-1] if before else 0):
        return before
    if shards and not 2 <= shards <= MAX_SHARDS:
        raise BadRequest(
            f"2 to {MAX_SHARDS} shards, or 0 for none", field="crl_shards", rule="crl.shards"
        )
    if len(before) >= MAX_PARTITIONS:
        raise BadRequest(
            f"partitioned {MAX_PARTITIONS} times already: certificates point to all of these",
            field="crl_shards",
            rule="crl.partitions",
            remedy="keep the number of shards",
        )
    return (*before, shards)


def check_lists(session: Session, authority: Authority) -> None:
    """Raise BadRequest for CRLs that cannot be made, or would harm."""
    chosen = (
        authority.crl_delta_every_s
        or authority.crl_jitter_s
        or authority.crl_shards
        or authority.crl_ca_list
        or authority.crl_keep_expired
        or authority.crl_indirect
    )
    if authority.offline and chosen:
        raise BadRequest(
            "an offline authority's CRLs are not made here",
            field="authority",
            rule="crl.offline",
            remedy="its ceremony makes full CRLs: `chancery ceremony crl`",
        )
    _check_deltas(authority)
    spare = authority.crl_lifetime_s - 2 * authority.crl_every_s
    if not 0 <= authority.crl_jitter_s <= max(spare, 0):
        raise BadRequest(
            "a CRL must fit twice into what jitter leaves of its life",
            field="crl_jitter_s",
            rule="crl.jitter",
            remedy=f"at most {spare} seconds, or let CRLs live longer",
        )
    _check_indirect(session, authority)


def _check_deltas(authority: Authority) -> None:
    every = authority.crl_delta_every_s
    if every and not _LEAST_DELTA_S <= every <= authority.crl_every_s:
        raise BadRequest(
            f"deltas come every {_LEAST_DELTA_S} seconds or more, and no rarer than full CRLs",
            field="crl_delta_every_s",
            rule="crl.delta",
            remedy="0 makes none",
        )
    if authority.crl_on_revocation is CrlTrigger.ALL:
        return
    if not every:
        raise BadRequest(
            "there are no deltas that a revocation could bring about",
            field="crl_on_revocation",
            rule="crl.delta",
            remedy="say how often there are to be deltas: crl_delta_every_s",
        )


def _check_indirect(session: Session, authority: Authority) -> None:
    names = authority.crl_indirect
    if len(set(names)) < len(names) or authority.name in names or len(names) > _MAX_INDIRECT:
        raise BadRequest(
            f"up to {_MAX_INDIRECT} other authorities, each once",
            field="crl_indirect",
            rule="crl.indirect",
        )
    for name in names:
        other = session.authorities.get(name)
        if other is None or other.offline or other.key_id is None:
            raise BadRequest(
                f"nothing is known here of what {name} revokes",
                field="crl_indirect",
                rule="crl.indirect",
                remedy="name authorities whose keys are here",
            )
