"""What becomes of a profile in the hands of a registration authority and its CAs."""

from collections.abc import Iterator, Sequence
from typing import Final

from chancery.domain.names import NameKind
from chancery.domain.registration import RegistrationAuthority
from chancery.domain.risk.model import (
    CODE_SIGNING,
    EMAIL,
    SERVER_AUTH,
    TIME_STAMPING,
    Risk,
    Severity,
    Use,
    authenticates,
    bounded,
    chosen_names,
    is_ca,
    rules_for,
)

_FAMILIES: Final = {
    SERVER_AUTH: "serverAuth",
    CODE_SIGNING: "codeSigning",
    EMAIL: "emailProtection",
    TIME_STAMPING: "timeStamping",
}


def strangers(use: Use) -> Iterator[Risk]:
    """Log-on certificates for people who have no account."""
    if use.ra is None or not use.ra.anonymous or not authenticates(use.profile):
        return
    severities = (Severity.BLOCK, Severity.WARN)
    yield Risk(
        "anonymous-authentication",
        severities[use.approvals] if use.approvals < len(severities) else Severity.NOTE,
        "anonymous",
        f"strangers may ask for {use.profile.name}, which logs its holder on"
        f" ({use.approvals} approve)",
        "let only signed-in people ask, or have two people approve who know the requester",
    )


def unattended_names(use: Use) -> Iterator[Risk]:
    """Names that a requester gives and nobody sees; what logs on is ESC1."""
    if use.ra is None or not use.unattended or is_ca(use.profile):
        return
    if authenticates(use.profile) or not (given := chosen_names(use)):
        return
    hosts = list(rules_for(use.profile, *NameKind))
    free = [rule.kind.value for _, rule in hosts if not bounded(rule)]
    loose = bool(free or not hosts) and not use.narrow
    yield Risk(
        "names-unattended",
        Severity.WARN if loose else Severity.NOTE,
        "approvals",
        f"requesters give the names ({given}), and nobody looks at them"
        + (f"; nothing bounds {', '.join(free)}" if free else ""),
        "bound them by suffixes, networks or a regex, name the submit groups, or ask for an"
        " approval",
    )


def one_approver(use: Use) -> Iterator[Risk]:
    """One person alone says yes to what logs on."""
    if use.ra is None or use.approvals != 1 or not chosen_names(use):
        return
    if authenticates(use.profile) and not use.ra.anonymous:
        yield Risk(
            "single-approval",
            Severity.NOTE,
            "approvals",
            f"one officer alone lets a certificate of {use.profile.name} out that logs on as"
            " anybody",
            "ask for two approvals",
        )


def from_a_root(use: Use) -> Iterator[Risk]:
    """A root that is reachable is a root that can be used by whoever gets in."""
    roots = [issuer.name for issuer in use.issuers if issuer.root]
    if roots:
        yield Risk(
            "root-issues",
            Severity.WARN,
            "authorities",
            f"{', '.join(roots)} is a root: it cannot be revoked, and here it signs end entities",
            "issue from a CA below it, and take the root offline",
        )


def outside_its_issuer(use: Use) -> Iterator[Risk]:
    """Purposes that the CA's own certificate does not cover: software may refuse them."""
    for issuer in use.issuers:
        if issuer.purposes is None:
            continue
        beyond = set(use.profile.extended_key_usage) - issuer.purposes
        if beyond and use.ra is not None:
            yield Risk(
                "issuer-purpose",
                Severity.WARN,
                "authorities",
                f"{issuer.name} is for other purposes than {use.profile.name}: the signer"
                " refuses such a certificate",
                "offer it from another CA",
            )


RULES: Final = (strangers, unattended_names, one_approver, from_a_root, outside_its_issuer)


def of_ra(ra: RegistrationAuthority, uses: Sequence[Use]) -> Iterator[Risk]:
    """What concerns the registration authority as a whole."""
    if ra.anonymous and ra.daily_per_requester is None and ra.open_per_requester is None:
        yield Risk(
            "anonymous-no-quota",
            Severity.NOTE,
            "daily_per_requester",
            "strangers may fill the queue: nothing bounds what one address sends",
            "set daily_per_requester and open_per_requester",
        )
    purposes = {oid for use in uses for oid in use.profile.extended_key_usage}
    mixed = [name for oid, name in _FAMILIES.items() if oid in purposes]
    if len(mixed) > 1:
        yield Risk(
            "mixed-purposes",
            Severity.NOTE,
            "profiles",
            f"one CA for {', '.join(mixed)}: a flaw in the rules of one is a flaw in all",
            "a CA for each of them",
        )
