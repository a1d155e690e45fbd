"""What signing in through others needs from outside: directories, providers, and the record."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from chancery.domain.directory import Person, SignInFlow, Trial, Vouched


class Directory(Protocol):
    """One LDAP directory.  Safe for concurrent use; holds no connection between calls.

    Every method raises Unavailable where no server of it answers in time.
    """

    def find(self, login: str) -> Person | None:
        """Who is called so; None if nobody is, or nobody active.

        Conflict if several are: then it is not known who.
        """
        ...

    def again(self, subject: str) -> Person | None:
        """The same person as before, as the directory knows them now; None if gone or inactive."""
        ...

    def proves(self, person: Person | None, password: str) -> bool:
        """Whether this is their password, asked on a connection of its own.

        None stands for nobody: the same work is done and the answer is no.
        An empty password is never sent (RFC 4513 §5.1.2) and never right.
        """
        ...

    def examine(self) -> list[Trial]:
        """Try every server: what each answered."""
        ...


@dataclass(frozen=True, slots=True)
class Authorization:
    """What a browser takes along to a provider (OpenID Connect Core §3.1.2.1, RFC 7636)."""

    redirect_uri: str
    state: str
    nonce: str
    challenge: str
    fresh: bool = False


class IdentityProvider(Protocol):
    """One OpenID provider.  Safe for concurrent use; Unavailable while it does not answer."""

    def authorization_url(self, wanted: Authorization) -> str:
        """Where to send the browser."""
        ...

    def announces_issuer(self) -> bool:
        """Whether its answers carry ``iss`` (RFC 9207), so that one without is refused."""
        ...

    def redeem(self, code: str, verifier: str, redirect_uri: str) -> Mapping[str, Any]:
        """Exchange *code*: the claims of the ID token, whose signature and algorithm hold.

        NotAuthenticated if the provider refuses, or the token is not signed as
        the settings ask.  What the claims say is for the caller to judge.
        """
        ...

    def end_session_url(self, return_to: str) -> str | None:
        """Where a browser ends its session there (RP-Initiated Logout 1.0); None: nowhere."""
        ...

    def examine(self) -> list[Trial]:
        """Fetch its metadata and keys, and compare them with the settings."""
        ...


class VouchedAccounts(Protocol):
    """Which accounts stand for people of directories and providers, and sign-ins under way."""

    def find(self, source: str, subject: str) -> Vouched | None: ...
    def of(self, user: str) -> Vouched | None: ...
    def all(self, source: str) -> list[Vouched]:
        """By account."""
        ...

    def put(self, vouched: Vouched) -> None:
        """Add it, or replace the one of this account.

        Conflict if another account stands for that person.
        """
        ...

    def begin(self, flow: SignInFlow) -> None: ...
    def take(self, sha256: str) -> SignInFlow | None:
        """Hand out a flow and remove it: only one caller ever gets it."""
        ...

    def drop_flows(self, begun_before: int) -> None:
        """Forget those that nobody came back from."""
        ...
