"""What opens an account besides a password: API tokens and TLS client certificates."""

import base64
import hashlib
from collections.abc import Iterable

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from chancery.domain.errors import BadRequest, Conflict, NotFound, NotPermitted
from chancery.domain.identity import (
    ApiToken,
    AuthMethod,
    ClientCertificate,
    Permission,
    Principal,
)
from chancery.domain.ids import new_id
from chancery.ports import Entropy, Session
from chancery.services.access import demand
from chancery.services.identity.authentication import TOKEN_PREFIX
from chancery.services.identity.changes import Ledger, user_of
from chancery.services.identity.policy import IdentityPolicy
from chancery.services.identity.principals import (
    counting,
    effective_roles,
    groups_of,
    permissions_of,
)

_DAY_S = 86_400
_MAX_CERTIFICATE = 64 * 1024


class Tokens:
    """One's own API tokens.  The secret is shown once; its SHA-256 is kept."""

    def __init__(self, ledger: Ledger, entropy: Entropy, policy: IdentityPolicy) -> None:
        self._ledger = ledger
        self._entropy = entropy
        self._policy = policy

    def create(
        self,
        principal: Principal,
        *,
        label: str = "",
        days: int = 30,
        scopes: Iterable[Permission] | None = None,
        owner: str | None = None,
    ) -> tuple[ApiToken, str]:
        """Make a token; return its record and its secret, ``chy_`` and 43 characters (256 bits).

        It can never do more than the credential that made it: a narrowed
        token begets tokens at most as wide.  Only the system itself, at
        set-up, makes tokens for another *owner*.
        """
        demand(principal, Permission.TOKEN_OWN)
        if owner is not None and principal.method is not AuthMethod.SYSTEM:
            raise NotPermitted("a token is made by its owner", field="owner", rule="token.own")
        if not 1 <= days <= self._policy.max_token_days:
            raise BadRequest(
                f"a token lasts 1 to {self._policy.max_token_days} days",
                field="days",
                rule="token.lifetime",
                remedy="ask for fewer days, and make another one in time",
            )
        wanted = None if scopes is None else frozenset(scopes)
        if wanted is not None and not wanted <= principal.permissions:
            raise NotPermitted(
                f"not yours to pass on: {', '.join(sorted(wanted - principal.permissions))}",
                field="scopes",
                rule="token.scope",
                remedy="name only permissions that /me lists",
            )
        secret = TOKEN_PREFIX + base64.urlsafe_b64encode(self._entropy(32)).decode().rstrip("=")
        now_ms = self._ledger.clock.ms()
        now = now_ms // 1000
        name = owner or principal.name
        token_id = new_id(now_ms, self._entropy(10))

        def work(session: Session) -> ApiToken:
            user = user_of(session, name)
            alive = [
                t for t in session.identities.tokens(name) if not t.revoked and t.expires_at > now
            ]
            if len(alive) >= self._policy.max_tokens:
                raise Conflict(
                    f"{name} has {len(alive)} tokens",
                    rule="token.count",
                    remedy="revoke those that are not used",
                )
            roles = effective_roles(user, counting(groups_of(session, user)))
            full = permissions_of(roles)
            narrowed = not full <= principal.permissions
            token = ApiToken(
                id=token_id,
                user=name,
                label=label[:100],
                sha256=hashlib.sha256(secret.encode()).hexdigest(),
                scopes=principal.permissions if wanted is None and narrowed else wanted,
                created_at=now,
                expires_at=now + days * _DAY_S,
            )
            session.identities.add_token(token)
            return token

        token = self._ledger.change(
            principal, "token.created", token_id, work, owner=name, days=days
        )
        return token, secret

    def mine(self, principal: Principal) -> list[ApiToken]:
        """Return one's own tokens, newest first; revoked and expired ones too."""
        demand(principal, Permission.TOKEN_OWN)
        with self._ledger.store.read() as session:
            return _newest_first(session.identities.tokens(principal.name))

    def of(self, principal: Principal, name: str) -> list[ApiToken]:
        """Return the tokens of an account, newest first: any with IDENTITY_READ."""
        demand(principal, Permission.IDENTITY_READ)
        with self._ledger.store.read() as session:
            return _newest_first(session.identities.tokens(user_of(session, name).name))

    def revoke(self, principal: Principal, token_id: str, name: str | None = None) -> None:
        """End a token, one's own or with IDENTITY_MANAGE one of the account *name*.

        At once here, within the cache's time elsewhere.
        """
        own = name is None or name == principal.name
        demand(principal, Permission.TOKEN_OWN if own else Permission.IDENTITY_MANAGE)
        owner = name or principal.name

        def work(session: Session) -> None:
            if token_id not in {t.id for t in session.identities.tokens(owner)}:
                raise NotFound(
                    "no such token of yours" if own else f"no such token of {owner}",
                    field="id",
                    rule="token.known",
                    remedy="`chancery token list` shows your own, `chancery user tokens` another's",
                )
            session.identities.revoke_token(token_id)

        self._ledger.change(principal, "token.revoked", token_id, work, owner=owner)


class ClientCertificates:
    """TLS client certificates, bound to accounts by their hash."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger

    def bind(self, principal: Principal, name: str, certificate: bytes) -> ClientCertificate:
        """Let *certificate* (PEM or DER) open the account *name*."""
        demand(principal, Permission.IDENTITY_MANAGE)
        parsed = _parse(certificate)
        now = self._ledger.clock.s()
        not_after = int(parsed.not_valid_after_utc.timestamp())
        if not_after < now:
            raise BadRequest(
                "the certificate has expired", field="certificate", rule="certificate.expired"
            )
        der = parsed.public_bytes(Encoding.DER)
        bound = ClientCertificate(
            user=name,
            sha256=hashlib.sha256(der).hexdigest(),
            subject=parsed.subject.rfc4514_string(),
            not_after=not_after,
            created_at=now,
        )

        def work(session: Session) -> ClientCertificate:
            user_of(session, name)
            if session.identities.client_certificate(bound.sha256) is not None:
                raise Conflict("the certificate is bound already", field="certificate")
            session.identities.add_client_certificate(bound)
            return bound

        return self._ledger.change(principal, "certificate.bound", name, work, sha256=bound.sha256)

    def of(self, principal: Principal, name: str) -> list[ClientCertificate]:
        """Return what is bound to an account: any with IDENTITY_READ, one's own always."""
        demand(principal, Permission.AUTHENTICATED)
        if name != principal.name:
            demand(principal, Permission.IDENTITY_READ)
        with self._ledger.store.read() as session:
            return session.identities.client_certificates(user_of(session, name).name)

    def unbind(self, principal: Principal, name: str, sha256: str) -> None:
        """Let a certificate open the account no longer."""
        demand(principal, Permission.IDENTITY_MANAGE)

        def work(session: Session) -> None:
            bound = session.identities.client_certificate(sha256)
            if bound is None or bound.user != name:
                raise NotFound(
                    f"no such certificate of {name}",
                    field="sha256",
                    rule="binding.known",
                    remedy="give the SHA-256 with which it was bound, in 64 hex digits",
                )
            session.identities.delete_client_certificate(sha256)

        self._ledger.change(principal, "certificate.unbound", name, work, sha256=sha256)


def _newest_first(tokens: list[ApiToken]) -> list[ApiToken]:
    return sorted(tokens, key=lambda token: token.id, reverse=True)


def _parse(data: bytes) -> x509.Certificate:
    if len(data) > _MAX_CERTIFICATE:
        raise BadRequest("a certificate has at most 64 KiB", field="certificate")
    try:
        if data.lstrip().startswith(b"-----"):
            certificate = x509.load_pem_x509_certificate(data)
        else:
            certificate = x509.load_der_x509_certificate(data)
        certificate.subject.rfc4514_string()
    except ValueError as error:
        raise BadRequest(
            "not an X.509 certificate in PEM or DER", field="certificate", rule="certificate.parse"
        ) from error
    return certificate
