"""Second factors as people have them: an authenticator app, and passkeys without a browser."""

import hashlib
import json
import secrets
import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pyotp
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from webauthn.helpers import bytes_to_base64url, encode_cbor

from chancery.adapters.one_time_codes import TotpCodes
from chancery.adapters.passkeys import WebAuthnPasskeys
from chancery.adapters.sealing import KeyFileSealer
from chancery.ports_sign_in import FactorTools

HTTPS = "https://127.0.0.1:8443"


def factor_tools(https: str = HTTPS) -> FactorTools:
    """The real libraries, with a key file of their own."""
    key = Path(tempfile.mkdtemp(prefix="chancery-factors-")) / "sign-in.key"
    return FactorTools(TotpCodes(), WebAuthnPasskeys(https), KeyFileSealer(key))


def totp_code(uri_or_secret: str, now: int) -> str:
    """What an authenticator app shows at *now* (Unix seconds)."""
    if uri_or_secret.startswith("otpauth:"):
        app = pyotp.parse_uri(uri_or_secret)
        assert isinstance(app, pyotp.TOTP)
    else:
        app = pyotp.TOTP(uri_or_secret)
    return app.at(now)


@dataclass
class Authenticator:
    """A passkey in software, and the browser in front of it (WebAuthn Level 3 §6, §7).

    What it says can be bent: *origin* and *rp_id* to those of another site,
    *verified* to nobody having touched it, *count* backwards as a copy would.
    """

    origin: str = "https://localhost:8443"
    rp_id: str = "localhost"
    verified: bool = True
    count: int = 0
    id: bytes = field(default_factory=lambda: secrets.token_bytes(16))
    key: ec.EllipticCurvePrivateKey = field(
        default_factory=lambda: ec.generate_private_key(ec.SECP256R1())
    )

    def create(self, options: dict[str, Any]) -> str:
        """Answer ``navigator.credentials.create``."""
        numbers = self.key.public_key().public_numbers()
        public = {1: 2, 3: -7, -1: 1, -2: numbers.x.to_bytes(32), -3: numbers.y.to_bytes(32)}
        credential = bytes(16) + len(self.id).to_bytes(2) + self.id + encode_cbor(public)
        attestation = {
            "fmt": "none",
            "attStmt": {},
            "authData": self._data(attested=True) + credential,
        }
        return self._answer(
            options,
            "webauthn.create",
            attestationObject=encode_cbor(attestation),
            transports=["internal"],
        )

    def get(self, options: dict[str, Any]) -> str:
        """Answer ``navigator.credentials.get``."""
        self.count += 1
        data = self._data(attested=False)
        told = self._told(options, "webauthn.get")
        signature = self.key.sign(data + hashlib.sha256(told).digest(), ec.ECDSA(hashes.SHA256()))
        return self._answer(options, "webauthn.get", authenticatorData=data, signature=signature)

    def _data(self, *, attested: bool) -> bytes:
        flags = 0x01 | (0x04 if self.verified else 0) | (0x40 if attested else 0)
        return (
            hashlib.sha256(self.rp_id.encode()).digest() + bytes([flags]) + self.count.to_bytes(4)
        )

    def _told(self, options: dict[str, Any], kind: str) -> bytes:
        document = {"type": kind, "challenge": options["challenge"], "origin": self.origin}
        return json.dumps(document).encode()

    def _answer(self, options: dict[str, Any], kind: str, **response: Any) -> str:
        parts = {"clientDataJSON": self._told(options, kind), **response}
        name = bytes_to_base64url(self.id)
        return json.dumps(
            {
                "id": name,
                "rawId": name,
                "type": "public-key",
                "clientExtensionResults": {},
                "response": {
                    key: bytes_to_base64url(value) if isinstance(value, bytes) else value
                    for key, value in parts.items()
                },
            }
        )
