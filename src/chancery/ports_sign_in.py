"""What signing in needs from outside: its records, and the libraries of the second factors."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from chancery.domain.web_session import Passkey, TotpSecret, WebSession


class WebSessions(Protocol):
    """Sessions of browsers.  Those of an account go with it, as its user or as its partner."""

    def add(self, session: WebSession) -> None: ...
    def by_cookie(self, sha256: str) -> WebSession | None: ...
    def get(self, session_id: str) -> WebSession | None: ...
    def of(self, user: str) -> list[WebSession]:
        """Those in which *user* is signed in, as either half or joining, newest first."""
        ...

    def recent(self, before: str | None, limit: int) -> list[WebSession]:
        """Everybody's, newest first; those older than the one with id *before*, if given."""
        ...

    def replace(self, session: WebSession, expected_sha256: str) -> None:
        """Write every field; WrongState unless its cookie is still the one expected.

        So two answers to one question cannot both count.
        """
        ...

    def touch(self, session_id: str, now: int) -> None:
        """Note that it was seen; nothing if it is gone."""
        ...

    def end(self, session_ids: Sequence[str]) -> None:
        """Remove them; nothing for one that is gone."""
        ...

    def expired(self, now: int, idle_since: int, limit: int) -> list[str]:
        """Ids of sessions past their end, or not seen since *idle_since*."""
        ...


class SecondFactors(Protocol):
    """TOTP secrets, passkeys and recovery codes."""

    def totp(self, user: str, *, confirmed: bool = True) -> TotpSecret | None: ...
    def put_totp(self, secret: TotpSecret) -> None:
        """Replace the one of this account that is equally confirmed, if there is one."""
        ...

    def use_step(self, user: str, step: int) -> bool:
        """Burn time step *step* of the confirmed secret; False if it, or a later one, was used."""
        ...

    def drop_totp(self, user: str, *, confirmed: bool) -> None: ...
    def passkeys(self, user: str) -> list[Passkey]:
        """Oldest first."""
        ...

    def add_passkey(self, passkey: Passkey) -> None:
        """AlreadyExists if the credential is registered, for whomever."""
        ...

    def use_passkey(self, passkey_id: str, sign_count: int, now: int) -> None: ...
    def rename_passkey(self, passkey_id: str, label: str) -> None: ...
    def drop_passkey(self, passkey_id: str) -> None: ...
    def set_recovery_codes(self, user: str, sha256s: Sequence[str]) -> None:
        """Replace all of them."""
        ...

    def use_recovery_code(self, user: str, sha256: str, now: int) -> bool:
        """Burn a code; False if there is none such, or it was used."""
        ...

    def recovery_codes_left(self, user: str) -> int: ...


class OneTimeCodes(Protocol):
    """TOTP (RFC 6238): SHA-1, six digits, 30 seconds, as every authenticator app has it."""

    def uri(self, secret: bytes, name: str, issuer: str) -> str:
        """The ``otpauth://`` URI that apps read."""
        ...

    def text(self, secret: bytes) -> str:
        """*secret* to be typed by hand: base32."""
        ...

    def step_of(self, secret: bytes, code: str, now: int, *, window: int) -> int | None:
        """Which time step within *window* of *now* the code belongs to; None: none."""
        ...

    def picture(self, uri: str) -> str:
        """*uri* as a QR code: an SVG element without scripts or styles."""
        ...


@dataclass(frozen=True, slots=True)
class NewPasskey:
    """What a browser's answer to a registration proved."""

    id: str
    public_key: bytes
    sign_count: int
    synced: bool
    transports: tuple[str, ...]


class Passkeys(Protocol):
    """WebAuthn (Level 3) for one relying party.  *answer* is the browser's, as JSON text.

    Raises BadRequest for an answer that does not hold: another challenge,
    origin or relying party, a wrong signature, no user verification.
    """

    @property
    def origin(self) -> str | None:
        """Where passkeys work: scheme, host and port; None where they cannot."""
        ...

    def creation_options(
        self, user: str, display_name: str, challenge: bytes, known: Sequence[Passkey]
    ) -> dict[str, Any]: ...
    def created(self, answer: str, challenge: bytes) -> NewPasskey: ...
    def request_options(self, challenge: bytes, known: Sequence[Passkey]) -> dict[str, Any]: ...
    def credential_id(self, answer: str) -> str:
        """Which credential an answer claims to be of; nothing is proven by it."""
        ...

    def proven(self, answer: str, challenge: bytes, passkey: Passkey) -> int:
        """Return the new sign count; Conflict if it shows that the authenticator was cloned."""
        ...


class Sealer(Protocol):
    """Keeps what must be read again (a TOTP secret) from who only reads the database."""

    def seal(self, data: bytes, context: str) -> bytes: ...
    def open(self, sealed: bytes, context: str) -> bytes:
        """Unavailable if it was sealed for another context, or with another key."""
        ...

    def digest(self, data: bytes, context: str) -> bytes:
        """A keyed hash (32 octets): who only reads the database cannot try guesses against it."""
        ...


@dataclass(frozen=True, slots=True)
class FactorTools:
    """What second factors are made of."""

    codes: OneTimeCodes
    passkeys: Passkeys
    sealer: Sealer
