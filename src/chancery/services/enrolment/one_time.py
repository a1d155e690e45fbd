"""One-time passwords of SCEP: each bound to one identity, unless a door is opened wider."""

from collections.abc import Sequence

from chancery.domain.door import Door
from chancery.domain.enrolment import Binding, CredentialKind
from chancery.domain.errors import BadRequest
from chancery.services.enrolment.binding import check_binding
from chancery.services.enrolment.credential_rules import NewCredential
from chancery.wire import general_names
from chancery.wire.otp_csv import OtpLine

SHARED = "shared_challenge"
"""The setting of a door that honours passwords bound to nobody."""


def wanted(line: OtpLine) -> NewCredential:
    """A password for one device: the exact subject, and exactly the names given.

    Raises BadRequest without a subject, or a pattern for it.
    """
    if line.subject is None and line.subject_pattern is None:
        raise BadRequest(
            "a one-time password is for somebody: a subject, or a pattern for it",
            field="subject",
            rule="otp.binding",
            remedy="name the subject of the device's request, like CN=device-1,O=Example",
        )
    binding = Binding(
        subject=line.subject,
        subject_pattern=line.subject_pattern,
        # No names means none: whoever has the password could add some otherwise.
        names=tuple(map(general_names.parse, line.names)),
        profile=line.profile,
    )
    check_binding(binding)
    return NewCredential(CredentialKind.ONE_TIME, binding, expires_s=line.expires_s, note=line.note)


def all_wanted(lines: Sequence[OtpLine]) -> list[NewCredential]:
    """Each of a list; the error says which line is wrong."""
    made = []
    for line in lines:
        try:
            made.append(wanted(line))
        except BadRequest as error:
            raise BadRequest(
                f"line {line.line}: {error}",
                field="csv",
                rule=error.rule,
                remedy=error.remedy,
            ) from error
    return made


def shared(
    door: Door, profile: str | None, secret: str | None, expires_s: int | None, note: str = ""
) -> NewCredential:
    """A challenge that anybody may use, any number of times, for any subject of the profile.

    BadRequest unless the door's setting says that somebody meant it.
    """
    if door.settings.get(SHARED) is not True:
        raise BadRequest(
            f"{door.name} takes no shared challenges: whoever learns one enrols as anybody",
            field="door",
            rule="scep.shared-challenge",
            remedy=f"make one-time passwords; or set {SHARED}=true and know the risk",
        )
    return NewCredential(
        CredentialKind.ONE_TIME,
        Binding(profile=profile),
        secret=secret,
        uses=None,
        expires_s=expires_s,
        note=note,
    )
