"""Codes of authenticator apps (TOTP), and their secrets as QR codes."""

import base64
import hmac
from typing import Final

import pyotp
import segno

_INTERVAL_S: Final = 30


class TotpCodes:
    """Implements ``ports_sign_in.OneTimeCodes`` with pyotp and segno."""

    def uri(self, secret: bytes, name: str, issuer: str) -> str:
        return _totp(secret).provisioning_uri(name=name, issuer_name=issuer)

    def step_of(self, secret: bytes, code: str, now: int, *, window: int) -> int | None:
        totp = _totp(secret)
        current = now // _INTERVAL_S
        given = code.encode("utf-8", "replace")
        found = None
        for step in range(current - window, current + window + 1):
            # All are compared, so that the time tells nothing of which one it was.
            if hmac.compare_digest(totp.generate_otp(step).encode(), given):
                found = step
        return found

    def text(self, secret: bytes) -> str:
        return base64.b32encode(secret).decode()

    def picture(self, uri: str) -> str:
        code = segno.make(uri, error="m", micro=False)
        # Black on white whatever the page's colours: cameras need the contrast.
        return code.svg_inline(
            omitsize=True, border=3, dark="#000", light="#fff", svgclass="qr-code", lineclass=None
        )


def _totp(secret: bytes) -> pyotp.TOTP:
    return pyotp.TOTP(base64.b32encode(secret).decode(), interval=_INTERVAL_S)
