"""A fresh proof of who one is: what stolen tokens and unattended screens cannot give."""

from dataclasses import dataclass

from chancery.domain.errors import BadRequest, NotAuthenticated, NotPermitted
from chancery.domain.identity import AuthMethod, Permission, Principal
from chancery.services.access import demand
from chancery.services.identity.authentication import Authentication


@dataclass(frozen=True, slots=True)
class FreshProof:
    """Asked for where somebody changes what they sign in with."""

    proof: Authentication

    def demand(self, principal: Principal, password: str | None = None) -> None:
        """Raise unless *principal* proved who it is a moment ago, or *password* is its own."""
        demand(principal, Permission.AUTHENTICATED)
        if principal.fresh or principal.method is AuthMethod.SYSTEM:
            return
        if password is None and principal.method is AuthMethod.SESSION:
            raise NotPermitted(
                "this takes a fresh proof of who you are",
                field="password",
                rule="step-up",
                remedy="prove it again, then repeat this",
            )
        if password is None:
            raise BadRequest(
                "this takes a fresh proof of who you are",
                field="password",
                rule="step-up",
                remedy="send your password along",
            )
        try:
            self.proof.check(principal.name, password, principal.origin)
        except NotAuthenticated as error:
            raise BadRequest(
                "the password is wrong", field="password", rule="password.current"
            ) from error
