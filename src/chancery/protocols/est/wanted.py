"""CSR attributes of a door: what its profile makes of a request, told beforehand."""

from chancery.domain.dn_profile import AttributeRule, DnProfile, ValueSource
from chancery.domain.names import Attribute, DistinguishedName
from chancery.domain.profile import ExtensionProfile
from chancery.wire import csrattrs, extensions


def wanted(profile: ExtensionProfile, names: DnProfile, *, challenge: bool) -> csrattrs.Wanted:
    """What is fixed or demanded; what a client may leave out or choose is not told."""
    subject = tuple(
        (rule.oid, _fixed(rule)) for rule in names.attributes if _fixed(rule) or _demanded(rule)
    )
    keys = profile.key_algorithms
    san = any(rule.required and rule.from_csr for rule in profile.san)
    custom = tuple(slot.oid for slot in profile.custom if slot.der_hex is None and slot.required)
    return csrattrs.Wanted(
        subject=subject or None,
        key=keys[0] if len(keys) == 1 else None,
        fixed=csrattrs.usages(
            profile.key_usage, profile.extended_key_usage, critical=profile.key_usage_critical
        ),
        open=((extensions.SUBJECT_ALT_NAME,) if san else ()) + custom,
        challenge=challenge,
    )


def _fixed(rule: AttributeRule) -> DistinguishedName | None:
    if rule.source not in (ValueSource.FIXED, ValueSource.DEFAULT) or rule.value is None:
        return None
    return DistinguishedName(((Attribute(rule.oid, rule.value, rule.syntax),),))


def _demanded(rule: AttributeRule) -> bool:
    return rule.source is ValueSource.CSR and rule.required
