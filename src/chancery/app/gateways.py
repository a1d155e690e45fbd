"""The centre's side of dedicated registration authorities, put together."""

import functools

from starlette.types import ASGIApp

from chancery.adapters.sealing import KeyFileSealer
from chancery.app.office import Office
from chancery.server.gateway_cookies import SessionCookies
from chancery.server.gateways import Gateways
from chancery.services.gateways import GatewayService


def admitting_gateways(office: Office, app: ASGIApp) -> ASGIApp:
    """*app* as gateways reach it; as it is where the settings name none."""
    service = GatewayService(
        office.store,
        office.catalogue,
        office.clock,
        [one.gateway for one in office.settings.gateways],
    )
    if not service.any:
        return app
    sealer = KeyFileSealer(office.settings.login.key_file)

    @functools.cache
    def cookies(gateway: str) -> SessionCookies:
        context = f"session cookie of the gateway {gateway}"
        return SessionCookies(
            functools.partial(sealer.seal, context=context),
            functools.partial(sealer.open, context=context),
        )

    return Gateways(app, service, cookies)
