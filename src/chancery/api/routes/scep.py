"""One-time passwords for SCEP clients, one or a thousand at once."""

from typing import Annotated

from pydantic import Field

from chancery.api.bodies import Using
from chancery.api.models import In, Out
from chancery.api.routing import Door, Who
from chancery.domain.identity import Permission
from chancery.services.enrolment import Issued, one_time
from chancery.wire.otp_csv import MAX_LINES, OtpLine

door = Door("/scep", "doors")

_TEXT = 4000
_WEEK_S = 7 * 86_400


class OneTimeIn(In):
    """For one device: its request must say exactly this."""

    subject: str | None = Field(default=None, max_length=_TEXT, description="CN=device-1,O=Example")
    subject_pattern: str | None = Field(default=None, max_length=256)
    names: list[str] = Field(default=[], max_length=200, description="dns:host.example.org")
    profile: str | None = Field(default=None, max_length=63, description="null: the door's.")
    expires_s: int | None = Field(default=_WEEK_S, description="From now; null: never.")
    note: str = Field(default="", max_length=_TEXT)


class OneTimesIn(In):
    passwords: Annotated[list[OneTimeIn], Field(min_length=1, max_length=MAX_LINES)]


class SharedIn(In):
    """A challenge that anybody may use: the door's setting must allow it."""

    profile: str | None = Field(default=None, max_length=63)
    secret: str | None = Field(default=None, max_length=1024, description="null: one is made.")
    expires_s: int | None = Field(default=None, description="From now; null: never.")
    note: str = Field(default="", max_length=_TEXT)


class OneTimeOut(Out):
    """A password, shown this once."""

    id: str
    otp: str = Field(description="The challenge password; shown this once.")
    door: str
    subject: str | None
    subject_pattern: str | None
    names: list[str]
    profile: str | None
    expires_at: int | None
    note: str


class OneTimesOut(Out):
    passwords: list[OneTimeOut]


@door.route("POST", "/{label}/one-time-passwords", Permission.CREDENTIAL_ISSUE, status=201)
def make_one_time_passwords(who: Who, using: Using, label: str, given: OneTimesIn) -> OneTimesOut:
    """Make one-time passwords, all or none; they are in this answer and nowhere else."""
    lines = [
        OtpLine(
            number,
            one.subject,
            one.subject_pattern,
            tuple(one.names),
            one.profile,
            one.expires_s,
            one.note,
        )
        for number, one in enumerate(given.passwords, 1)
    ]
    # Of a single one the error names the field, of many the line.
    many = one_time.all_wanted(lines) if len(lines) > 1 else [one_time.wanted(lines[0])]
    made = using.credentials.issue_many(who, f"scep/{label}", many)
    return OneTimesOut(passwords=[_out(one) for one in made])


@door.route("POST", "/{label}/shared-challenges", Permission.CREDENTIAL_ISSUE, status=201)
def make_shared_challenge(who: Who, using: Using, label: str, given: SharedIn) -> OneTimeOut:
    """Make a challenge that anybody may use: whoever learns it enrols as anybody."""
    found = using.doors.show(who, f"scep/{label}")
    wanted = one_time.shared(found, given.profile, given.secret, given.expires_s, given.note)
    return _out(using.credentials.issue(who, found.name, wanted))


def _out(made: Issued) -> OneTimeOut:
    one, binding = made.credential, made.credential.binding
    return OneTimeOut(
        id=one.id,
        otp=made.secret,
        door=one.door,
        subject=binding.subject,
        subject_pattern=binding.subject_pattern,
        names=[name.text for name in binding.names or ()],
        profile=binding.profile,
        expires_at=one.expires_at,
        note=one.note,
    )
