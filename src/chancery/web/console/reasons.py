"""Reasons for a revocation, explained to whoever has to choose one (RFC 5280 §5.3.1)."""

from typing import Final

from chancery.domain.certificate import RevocationReason
from chancery.domain.errors import BadRequest
from chancery.web.fields import Fields

REASONS: Final[dict[str, tuple[str, str]]] = {
    "keyCompromise": (
        "Key compromised",
        "The private key is lost, stolen or seen by others. It is blocked here from now on.",
    ),
    "superseded": (
        "Superseded",
        "Another certificate has taken its place, and the key is as safe as before.",
    ),
    "cessationOfOperation": (
        "No longer needed",
        "The service is shut down, or the name is given up.",
    ),
    "affiliationChanged": (
        "Affiliation changed",
        "What the subject says of its holder is no longer true: somebody left, or was renamed.",
    ),
    "privilegeWithdrawn": (
        "Privilege withdrawn",
        "The holder may not have it any more: rules were broken, or it was issued by mistake.",
    ),
    "cACompromise": (
        "CA compromised",
        "Only for the certificate of a CA: its key is lost, stolen or seen by somebody.",
    ),
    "aACompromise": (
        "Attribute authority compromised",
        "Only for attribute authorities: what they vouch for cannot be believed.",
    ),
    "unspecified": ("Unspecified", "None of the others. Relying parties learn nothing."),
}
"""Name: what people call it, and when to choose it.  A hold is something else."""


def said(reason: RevocationReason) -> str:
    """What people call it."""
    if reason is RevocationReason.certificateHold:
        return "On hold"
    return REASONS[reason.name][0]


def chosen(form: Fields, name: str = "reason") -> RevocationReason:
    """The reason that a form names; BadRequest beside the field."""
    text = form.required(name, "a reason")
    if text not in REASONS:
        raise BadRequest(
            f"no revocation reason {text[:40]!r}",
            field=name,
            rule="reason.known",
            remedy="choose one of the list",
        )
    return RevocationReason[text]
