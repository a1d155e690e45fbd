"""Signing in through an OpenID provider: authorization code with PKCE, and nothing else.

::

    begin ─▶ browser to the provider ─▶ back with code and state ─▶ finish

The browser keeps a *handle* (in a cookie) whose hash finds the flow on record:
nonce, verifier, where to go on.  ``state`` in the URL is made of the handle and
does not lead back to it, so whoever sees the URL cannot finish the sign-in, and
whoever lures a browser to a URL of their own finds no flow there.  A flow is
good for one answer and ten minutes.
"""

import base64
import hashlib
import hmac
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from chancery.domain.directory import Mapped, Purpose, SignInFlow, Trial
from chancery.domain.errors import NotAuthenticated, NotFound
from chancery.domain.identity import Permission, Principal
from chancery.ports import Clock, Entropy, Session, Store
from chancery.ports_directory import Authorization
from chancery.services.access import demand
from chancery.services.identity.failures import Failures, sha256_of
from chancery.services.identity.provider_claims import person_of
from chancery.services.identity.sources import ProviderSource
from chancery.services.identity.vouching import Vouching

FLOW_S: Final = 600
_OCTETS: Final = 32
_MAX_PARAMETER: Final = 4096


@dataclass(frozen=True, slots=True)
class Begun:
    """Where the browser goes, and what it keeps meanwhile."""

    url: str
    handle: str


@dataclass(frozen=True, slots=True)
class Finished:
    """Whose account it is, and what they came for."""

    account: str
    return_to: str
    purpose: Purpose


@dataclass(frozen=True, slots=True)
class Offer:
    """A button on the page where people sign in."""

    name: str
    title: str


@dataclass(frozen=True, slots=True)
class ProviderView:
    """A provider as it is set up; tells no secret."""

    name: str
    title: str
    issuer: str
    client_id: str
    redirect_uri: str
    signed_out_uri: str
    suffix: str
    standing_s: int
    mapping: tuple[Mapped, ...]
    accounts: int


class Providers:
    """One per process.  Synchronous, safe for concurrent use."""

    def __init__(
        self,
        store: Store,
        clock: Clock,
        entropy: Entropy,
        vouching: Vouching,
        failures: Failures,
        sources: Sequence[ProviderSource],
    ) -> None:
        self._store = store
        self._clock = clock
        self._entropy = entropy
        self._vouching = vouching
        self._failures = failures
        self._sources = {source.source.name: source for source in sources}

    def offers(self) -> list[Offer]:
        """Those there are, in the order of the settings."""
        return [Offer(name, source.title) for name, source in self._sources.items()]

    def of(self, account: str) -> Offer | None:
        """The provider that vouches for *account*, if one does."""
        with self._store.read() as session:
            user = session.identities.user(account)
        source = self._sources.get(user.directory or "") if user else None
        return Offer(source.source.name, source.title) if source else None

    def begin(self, name: str, return_to: str, purpose: Purpose = Purpose.SIGN_IN) -> Begun:
        """Start a sign-in; NotFound for an unknown provider, Unavailable for one that is away."""
        source = self._known(name)
        handle, nonce, verifier = (self._secret() for _ in range(3))
        now = self._clock.s()
        url = source.provider.authorization_url(
            Authorization(
                redirect_uri=source.redirect_uri,
                state=_state(handle),
                nonce=nonce,
                challenge=_base64url(hashlib.sha256(verifier.encode()).digest()),
                fresh=purpose.fresh,
            )
        )
        hashed = sha256_of(handle).hex()
        flow = SignInFlow(hashed, name, nonce, verifier, return_to, purpose, now)

        def work(session: Session) -> None:
            session.vouched.drop_flows(now - FLOW_S)
            session.vouched.begin(flow)

        self._store.write(work)
        return Begun(url, handle)

    def finish(
        self, name: str, handle: str, parameters: Mapping[str, str], origin: str
    ) -> Finished:
        """Take what the browser brings back; NotAuthenticated names the rule that was broken.

        *parameters*: those of the query.  The account exists afterwards and is
        true to the provider's groups; ``SessionService.by_provider`` opens it.
        """
        source = self._known(name)
        try:
            flow = self._flow(source, handle, parameters)
            self._check_answer(source, parameters)
            code = parameters["code"]
            claims = source.provider.redeem(code, flow.verifier, source.redirect_uri)
            person = person_of(claims, source, flow, self._clock.s())
        except NotAuthenticated as refused:
            self._failures.tell(
                "provider", origin, "unknown", self._clock.s(), rule=refused.rule or ""
            )
            raise
        account = self._vouching.admit(source.source, person, origin)
        return Finished(account, flow.return_to, flow.purpose)

    def end_session_url(self, name: str) -> str | None:
        """Where a browser ends its session at the provider, if it has such a place."""
        source = self._known(name)
        return source.provider.end_session_url(source.signed_out_uri)

    # For administrators

    def list(self, principal: Principal) -> list[ProviderView]:
        demand(principal, Permission.IDENTITY_READ)
        with self._store.read() as session:
            counts = {
                name: len(session.vouched.all(one.source.key))
                for name, one in self._sources.items()
            }
        return [
            ProviderView(
                name=name,
                title=one.title,
                issuer=one.issuer,
                client_id=one.client_id,
                redirect_uri=one.redirect_uri,
                signed_out_uri=one.signed_out_uri,
                suffix=one.source.suffix,
                standing_s=one.standing_s,
                mapping=one.source.mapping.rows,
                accounts=counts[name],
            )
            for name, one in self._sources.items()
        ]

    def check(self, principal: Principal, name: str) -> tuple[Trial, ...]:
        """Fetch what a provider publishes; say what it answered."""
        demand(principal, Permission.IDENTITY_MANAGE)
        return tuple(self._known(name).provider.examine())

    def _known(self, name: str) -> ProviderSource:
        source = self._sources.get(name)
        if source is None:
            raise NotFound(
                f"no provider named {name[:64]!r}",
                field="name",
                rule="provider.known",
                remedy="`chancery provider list` shows those there are",
            )
        return source

    def _flow(
        self, source: ProviderSource, handle: str, parameters: Mapping[str, str]
    ) -> SignInFlow:
        """Hand out the flow that this browser began, once."""
        given = parameters.get("state", "")
        # Before anything is used up: a foreign link must not end a sign-in that is under way.
        if not hmac.compare_digest(given.encode("utf-8", "replace"), _state(handle).encode()):
            raise _wrong("oidc.state", "this answer belongs to no sign-in of this browser")
        hashed = sha256_of(handle).hex()
        flow = self._store.write(lambda session: session.vouched.take(hashed))
        if flow is None or flow.provider != source.source.name:
            raise _wrong("oidc.state", "this sign-in is over already")
        if self._clock.s() >= flow.begun_at + FLOW_S:
            raise _wrong("oidc.state", "this sign-in took too long")
        return flow

    def _check_answer(self, source: ProviderSource, parameters: Mapping[str, str]) -> None:
        issuer = parameters.get("iss")
        if issuer is None and source.provider.announces_issuer():
            raise _wrong("oidc.iss", "the answer does not say who gave it")
        if issuer is not None and issuer != source.issuer:  # RFC 9207 §2.4
            raise _wrong("oidc.iss", "another provider gave this answer")
        if "error" in parameters:
            said = "you refused" if parameters["error"] == "access_denied" else "it says no"
            raise _wrong("oidc.error", f"{source.title} did not sign you in: {said}")
        if not 0 < len(parameters.get("code", "")) <= _MAX_PARAMETER:
            raise _wrong("oidc.code", "the answer holds no code")

    def _secret(self) -> str:
        return _base64url(self._entropy(_OCTETS))


def _state(handle: str) -> str:
    return _base64url(hashlib.sha256(b"state " + handle.encode()).digest())


def _base64url(octets: bytes) -> str:
    return base64.urlsafe_b64encode(octets).decode().rstrip("=")


def _wrong(rule: str, text: str) -> NotAuthenticated:
    return NotAuthenticated(
        text, field="provider", rule=rule, remedy="sign in again from the start"
    )
