"""What an OpenID provider is asked, and how."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class ProviderPlan:
    """One provider.  *ca*: PEM of who may certify it; None: whom the system trusts."""

    name: str
    issuer: str
    client_id: str
    client_secret: str | None
    client_auth: str  # "basic" or "post" (RFC 6749 §2.3.1)
    scopes: tuple[str, ...]
    algorithms: tuple[str, ...]
    acr_values: tuple[str, ...] = ()
    userinfo: bool = False
    ca: str | None = None
    proxy: str | None = None
    timeout_s: float = 5.0

    def __repr__(self) -> str:  # it may end up in a log, and holds a secret
        return f"ProviderPlan({self.name!r})"
