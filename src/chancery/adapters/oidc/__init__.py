"""OpenID providers, asked over HTTPS."""

from chancery.adapters.oidc.plan import ProviderPlan
from chancery.adapters.oidc.provider import OidcProvider

__all__ = ["OidcProvider", "ProviderPlan"]
