"""What an authority chooses while it lives: its labels, and what its CRLs say and how often."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, fields, replace
from typing import Any

from chancery.domain.authority import Authority, CrlIdp
from chancery.domain.crl import LISTED, SHARD, CrlTrigger
from chancery.domain.errors import BadRequest, Conflict
from chancery.domain.identity import Principal
from chancery.domain.profile_rules import is_url_template
from chancery.ports import Session
from chancery.services.audit.events import event
from chancery.services.authority.base import AuthorityBase
from chancery.services.authority.crl_choices import check_lists, repartitioned
from chancery.services.authority.specification import check_schedule
from chancery.services.issuers import find
from chancery.services.status.crl_schedule import EVERYTHING_AT
from chancery.services.status.crl_scope import with_part
from chancery.wire.tbs import fill

_MAX_URLS = 8


@dataclass(frozen=True, slots=True)
class AuthorityChange:
    """What to change of an authority; None: as it is.

    *crl_urls* are URL templates as in profiles (``{http}/crl/{ca}.crl``).
    *crl_shards* is the number of shards for certificates to come, 0 for none;
    those that point to former shards go on finding them.
    """

    silo: str | None = None
    region: str | None = None
    crl_lifetime_s: int | None = None
    crl_every_s: int | None = None
    crl_idp: CrlIdp | None = None
    crl_urls: tuple[str, ...] | None = None
    crl_delta_every_s: int | None = None
    crl_on_revocation: CrlTrigger | None = None
    crl_jitter_s: int | None = None
    crl_shards: int | None = None
    crl_ca_list: bool | None = None
    crl_keep_expired: bool | None = None
    crl_indirect: tuple[str, ...] | None = None

    def given(self) -> dict[str, Any]:
        named = ((field.name, getattr(self, field.name)) for field in fields(self))
        return {name: value for name, value in named if value is not None}


class Choices(AuthorityBase):
    """Edits."""

    def edit(self, principal: Principal, name: str, change: AuthorityChange) -> Authority:
        """Change what is given; a change of its CRLs shows in a new one within seconds."""
        self._managed(principal, name)
        given = change.given()
        if not given:
            raise BadRequest(
                "nothing is to be changed",
                field="authority",
                rule="authority.edit",
                remedy="say what: labels, or a choice about its CRLs",
            )

        def unit(session: Session) -> Authority:
            authority = find(session, name)
            if change.crl_shards is not None:
                given["crl_shards"] = repartitioned(authority.crl_shards, change.crl_shards)
            changed = replace(authority, **given)
            check_choices(changed.crl_idp, changed.crl_urls, offline=changed.offline)
            check_schedule(changed.crl_lifetime_s, changed.crl_every_s)
            check_lists(session, changed)
            _check_pointers(session, changed, self._http)
            session.authorities.update(changed)
            if any(field.startswith("crl_") for field in given):
                session.crls.mark_due(name, EVERYTHING_AT)
            told: dict[str, Any] = {
                field: [_plain(getattr(authority, field)), _plain(value)]
                for field, value in given.items()
            }
            session.audit.append(
                [event(principal, "authority.edited", name, **told)], self._clock.ms()
            )
            return changed

        return self._store.write(unit)


def check_choices(idp: CrlIdp, urls: Sequence[str], *, offline: bool) -> None:
    """Raise BadRequest for a choice about CRLs that cannot be kept."""
    if idp is not CrlIdp.NONE and offline:
        raise BadRequest(
            "an offline authority's CRLs are not made here",
            field="crl_idp",
            rule="crl.offline",
            remedy="choose it in its ceremony: `chancery ceremony crl --crl-idp full`",
        )
    wrong = next((url for url in urls if not is_url_template(url)), None)
    if wrong is not None or not 1 <= len(set(urls)) == len(urls) <= _MAX_URLS:
        said = f"1 to {_MAX_URLS} different ones" if wrong is None else f"not {wrong[:80]!r}"
        raise BadRequest(
            f"the URLs of a CRL: {said}",
            field="crl_urls",
            rule="crl.urls",
            remedy="write them like {http}/crl/{ca}.crl or http://pki.example.org/{ca}.crl",
        )


def _check_pointers(session: Session, authority: Authority, http: str) -> None:
    """Raise Conflict where the authority issues by a profile that points to none of its CRLs.

    With a distributionPoint in the CRL, relying parties hold the two against
    each other (RFC 5280 §6.3.3 (b)(2)(i)), and refuse what does not meet.
    """
    urls = fill(authority.crl_urls, http=http, ca=authority.name)
    shards = [with_part(url, SHARD) for url in urls] if authority.crl_shards[-1:] > (0,) else []
    for profile, templates in _profiles_of(session, authority):
        own = [one for one in templates if one != LISTED]
        pointers = fill(own, http=http, ca=authority.name)
        sharded = any(SHARD in url for url in pointers)
        if authority.crl_idp is CrlIdp.NONE and not sharded:
            continue
        if set(shards if sharded else urls).isdisjoint(pointers):
            where = ", ".join(pointers) or "nowhere"
            raise Conflict(
                f"profile {profile} points to {where}: its certificates would not be found valid",
                field="crl_idp",
                rule="crl.pointers",
                remedy="partition the CRL (--crl-shards), or change the profile"
                if sharded and not shards
                else "name that URL among those of the CRL (--crl-url), or change the profile",
            )


def _profiles_of(session: Session, authority: Authority) -> Iterator[tuple[str, tuple[str, ...]]]:
    """(name, CRL distribution points) of each profile by which an RA lets it issue."""
    names = {
        name
        for ra in session.registrations.all()
        if authority.name in ra.authorities
        for name in ra.profiles
    }
    for name in sorted(names):
        version = session.profiles.latest(name)
        if version is not None:
            yield name, version.profile.cdp


def _plain(value: object) -> object:
    """For the audit log, which knows plain text and lists."""
    if isinstance(value, tuple):
        return list(value)
    return str(value) if isinstance(value, str) else value
