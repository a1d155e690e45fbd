"""Second factors as people have them: an authenticator app, and passkeys without a browser."""

import tempfile
from pathlib import Path

from chancery.adapters.one_time_codes import TotpCodes
from chancery.adapters.passkeys import WebAuthnPasskeys
from chancery.adapters.sealing import KeyFileSealer
from chancery.ports_sign_in import FactorTools

HTTPS = "https://127.0.0.1:8443"


def factor_tools(https: str = HTTPS) -> FactorTools:
    """The real libraries, with a key file of their own."""
    key = Path(tempfile.mkdtemp(prefix="chancery-factors-")) / "sign-in.key"
    return FactorTools(TotpCodes(), WebAuthnPasskeys(https), KeyFileSealer(key))
