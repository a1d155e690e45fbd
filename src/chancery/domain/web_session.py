"""A browser that has signed in, or is about to; and the factors people sign in with."""

from dataclasses import dataclass
from enum import StrEnum


class SessionState(StrEnum):
    """How far a sign-in has come.  Only OPEN stands for somebody."""

    NEEDS_FACTOR = "needs-factor"
    MUST_CHANGE_PASSWORD = "must-change-password"  # noqa: S105 - a state's name
    MUST_ENROL_FACTOR = "must-enrol-factor"
    OPEN = "open"


class Proof(StrEnum):
    """What somebody showed when they signed in."""

    PASSWORD = "password"  # noqa: S105 - a method's name
    TOTP = "totp"
    PASSKEY = "passkey"
    RECOVERY = "recovery"
    CERTIFICATE = "certificate"
    PROVIDER = "provider"  # an OpenID provider said so


@dataclass(frozen=True, slots=True)
class WebSession:
    """One browser's session on record.  Times are Unix seconds.

    The cookie itself is nowhere: *sha256* is the hash of the one that counts
    now.  *partner* is the second member of a joint session, "" where there is
    none; *joining* has shown a password and still owes a second factor.
    """

    id: str
    sha256: str
    user: str
    state: SessionState
    methods: tuple[Proof, ...]
    csrf: str  # secret of this session's forms
    origin: str  # network address it began at
    agent: str  # User-Agent, as sent and cut to 200 characters
    created_at: int
    seen_at: int
    ends_at: int  # whatever happens
    proven_at: int  # when *user* last proved who it is
    partner: str = ""
    partner_methods: tuple[Proof, ...] = ()
    partner_proven_at: int = 0
    joining: str = ""
    challenge: str = ""  # of the passkey ceremony under way, hex; good for one answer
    challenge_until: int = 0

    @property
    def open(self) -> bool:
        return self.state is SessionState.OPEN

    @property
    def awaited(self) -> str:
        """Whose second factor comes next: the user's, that of who is joining, or nobody's ("")."""
        if self.state is SessionState.NEEDS_FACTOR:
            return self.user
        return self.joining

    @property
    def people(self) -> tuple[str, ...]:
        """Who is signed in here: one, or two."""
        return (self.user, self.partner) if self.partner else (self.user,)

    def unproven(self, since: int) -> tuple[str, ...]:
        """Who of them did not prove who they are at or after *since*: they step up, each."""
        proofs = {self.user: self.proven_at}
        if self.partner:
            proofs[self.partner] = self.partner_proven_at
        return tuple(name for name, at in proofs.items() if at < since)


@dataclass(frozen=True, slots=True)
class TotpSecret:
    """A shared secret for codes after RFC 6238, sealed; pending until a first code confirms it.

    *last_step* is the newest time step that was used: none up to it counts again.
    """

    user: str
    sealed: bytes
    confirmed: bool
    created_at: int
    last_step: int = 0


@dataclass(frozen=True, slots=True)
class Passkey:
    """A WebAuthn credential; *id* is base64url, *public_key* COSE."""

    id: str
    user: str
    label: str
    public_key: bytes
    sign_count: int
    transports: tuple[str, ...]
    synced: bool  # its owner's other devices have it too (WebAuthn: backup state)
    created_at: int
    last_used_at: int | None = None


@dataclass(frozen=True, slots=True)
class Factors:
    """What an account can sign in with besides its password.  Tells no secret."""

    totp: bool
    passkeys: tuple[Passkey, ...]
    recovery_codes: int  # unused ones

    @property
    def any(self) -> bool:
        """Whether a second factor is asked for.  Recovery codes alone are none."""
        return self.totp or bool(self.passkeys)
