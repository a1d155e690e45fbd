"""What a requester asks for beside the CSR, held against what the profile leaves open."""

from chancery.domain.algorithms import KeyAlgorithm
from chancery.domain.errors import BadKey, BadRequest, NotPermitted
from chancery.domain.names import GeneralName
from chancery.domain.profile import DAY_S, ExtensionProfile, Override
from chancery.domain.request import Submission
from chancery.wire.pkcs10 import CertificationRequest


def server_algorithm(submission: Submission, profile: ExtensionProfile) -> KeyAlgorithm:
    """The key to make on the requester's behalf; BadKey unless the profile allows it."""
    name = str(submission.server_key)
    try:
        algorithm = KeyAlgorithm(name)
    except ValueError:
        raise BadKey(
            f"no key algorithm {name!r}",
            field="server_key",
            rule="key.algorithm",
            remedy="one of: " + ", ".join(KeyAlgorithm),
        ) from None
    family = "rsa" if name.startswith("rsa-") else name
    if not {name, family} & set(profile.key_algorithms):
        raise BadKey(
            f"profile {profile.name} does not allow {name} keys",
            field="server_key",
            rule="key.profile",
            remedy="it allows: " + ", ".join(profile.key_algorithms),
        )
    return algorithm


def requested_names(submission: Submission, profile: ExtensionProfile) -> tuple[GeneralName, ...]:
    """Names given beside the CSR; NotPermitted where the profile takes the CSR's alone."""
    if submission.names and Override.SAN not in profile.overrides:
        raise NotPermitted(
            f"profile {profile.name} takes names from the CSR alone",
            field="names",
            rule="override.san",
            remedy="put the names into the CSR's subjectAltName",
        )
    return submission.names


def custom_extensions(
    submission: Submission, csr: CertificationRequest | None, profile: ExtensionProfile
) -> tuple[tuple[str, bytes], ...]:
    """Values for the profile's open extensions: from the request, else from the CSR."""
    given = dict(submission.extensions)
    asked = {oid: der for oid, _, der in csr.extensions} if csr else {}
    open_slots = [slot for slot in profile.custom if slot.der_hex is None]
    if unknown := set(given) - {slot.oid for slot in open_slots}:
        raise NotPermitted(
            f"profile {profile.name} does not take extension {min(unknown)}",
            field="extensions",
            rule="override.custom-extensions",
        )
    values = []
    for slot in open_slots:
        value = given.get(slot.oid, asked.get(slot.oid))
        if value is not None:
            values.append((slot.oid, value))
        elif slot.required:
            raise BadRequest(
                f"extension {slot.oid} is missing", field="extensions", rule="extension.required"
            )
    return tuple(values)


def lasting(submission: Submission, profile: ExtensionProfile) -> int:
    """Seconds of validity."""
    if submission.days is None:
        return profile.validity_s
    if Override.VALIDITY not in profile.overrides:
        raise NotPermitted(
            f"profile {profile.name} fixes the validity", field="days", rule="override.validity"
        )
    lasting = submission.days * DAY_S
    if not 0 < lasting <= profile.max_validity_s:
        raise BadRequest(
            f"days must be between 1 and {profile.max_validity_s // DAY_S}",
            field="days",
            rule="validity.max",
        )
    return lasting
