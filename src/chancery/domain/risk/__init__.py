"""Dangerous combinations in policy: found before anybody can use them.

The rules follow the ESC1 to ESC16 family of Active Directory Certificate
Services and what else lets one requester stand for another.  A profile is
judged by itself and in the hands of every registration authority that offers
it.  ``docs/guides/risk.md`` explains each finding.
"""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Final

from chancery.domain.registration import RegistrationAuthority
from chancery.domain.risk import content, names, offers, purposes
from chancery.domain.risk.model import Issuer, Risk, Severity, Use

__all__ = ["Issuer", "Risk", "Severity", "Use", "assess", "assess_ra"]

_RULES: Final = (*names.RULES, *purposes.RULES, *content.RULES, *offers.RULES)
_ORDER: Final = {severity: place for place, severity in enumerate(Severity)}


def assess(use: Use) -> tuple[Risk, ...]:
    """Everything found about *use*, the worst first."""
    about = use.ra.name if use.ra else ""
    return _sorted(replace(risk, about=about) for rule in _RULES for risk in rule(use))


def assess_ra(ra: RegistrationAuthority, uses: Sequence[Use]) -> tuple[Risk, ...]:
    """Everything found about *ra*, whose profiles *uses* are: itself and each of them."""
    found = [replace(risk, profile=use.profile.name) for use in uses for risk in assess(use)]
    return _sorted([*(replace(risk, about=ra.name) for risk in offers.of_ra(ra, uses)), *found])


def _sorted(risks: Iterable[Risk]) -> tuple[Risk, ...]:
    return tuple(sorted(dict.fromkeys(risks), key=lambda risk: (_ORDER[risk.severity], risk.id)))
