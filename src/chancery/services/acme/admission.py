"""Whether an account may ask for an identifier at all, before anything is proved."""

from collections.abc import Sequence
from typing import Final

from chancery.domain.acme import ChallengeKind, Identifier, Several
from chancery.domain.acme_settings import AcmeSettings
from chancery.domain.door import Door
from chancery.domain.enrolment import Credential
from chancery.domain.errors import BadName, BadRequest, CAError, NotPermitted
from chancery.domain.names import NameKind
from chancery.domain.profile import ExtensionProfile
from chancery.domain.san_rules import name_faults


def chosen_profile(door: Door, credential: Credential | None, wanted: str | None) -> str:
    """The profile an order is for: asked for, bound to the external account key, or the door's."""
    bound = credential.binding.profile if credential is not None else None
    profile = wanted or bound or door.profile
    if profile not in door.offered or bound not in (None, profile):
        raise BadRequest(
            f"the profile {profile[:80]!r} is not offered to this account",
            field="profile",
            rule="acme.profile",
            remedy="the directory lists those there are",
        )
    return profile


def admit(
    identifiers: Sequence[Identifier],
    settings: AcmeSettings,
    credential: Credential | None,
    profile: ExtensionProfile,
) -> None:
    """Raise Several, with one reason for each identifier that is refused."""
    if not 0 < len(identifiers) <= settings.max_identifiers:
        raise BadRequest(
            f"an order has 1 to {settings.max_identifiers} identifiers",
            field="identifiers",
            rule="acme.identifiers",
            remedy="place several orders",
        )
    refused: list[tuple[Identifier | None, CAError]] = []
    for one in identifiers:
        fault = _fault(one, settings, credential, profile)
        if fault is not None:
            refused.append((one, fault))
    if refused:
        raise Several(refused)


def challenges_for(identifier: Identifier, settings: AcmeSettings) -> tuple[ChallengeKind, ...]:
    """What may prove it: RFC 8555 §7.1.3 for wildcards, RFC 8738 §7 for addresses."""
    if identifier.wildcard:
        fit = _WILDCARD
    elif identifier.kind is NameKind.IP:
        fit = _ADDRESS
    else:
        fit = frozenset(ChallengeKind)
    return tuple(kind for kind in settings.challenges if kind in fit)


_WILDCARD: Final = frozenset({ChallengeKind.DNS_01})
_ADDRESS: Final = frozenset({ChallengeKind.HTTP_01, ChallengeKind.TLS_ALPN_01})


def _fault(
    identifier: Identifier,
    settings: AcmeSettings,
    credential: Credential | None,
    profile: ExtensionProfile,
) -> CAError | None:
    if identifier.wildcard and not settings.wildcards:
        return _refused(identifier, "wildcards are not issued by this door")
    if identifier.kind is NameKind.IP and not settings.addresses:
        return _refused(identifier, "addresses are not certified by this door")
    if not identifier.fits(settings.trusted) and not challenges_for(identifier, settings):
        return _refused(identifier, "no challenge that this door offers can prove it")
    if credential is not None and not _bound(identifier, credential):
        return _refused(identifier, "the external account key is not for it")
    for fault in name_faults(profile, [identifier.name]):
        return BadName(
            str(fault),
            field="identifiers",
            rule="acme.identifier.refused",
            remedy=fault.remedy,
        )
    return None


def _bound(identifier: Identifier, credential: Credential) -> bool:
    binding = credential.binding
    if binding.names is not None and identifier.name not in binding.names:
        return False
    return not binding.name_patterns or identifier.fits(binding.name_patterns)


def _refused(identifier: Identifier, why: str) -> NotPermitted:
    return NotPermitted(
        f"{identifier.value}: {why}",
        field="identifiers",
        rule="acme.identifier.refused",
        remedy="ask who runs this CA",
    )
