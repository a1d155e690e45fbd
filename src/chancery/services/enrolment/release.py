"""Handing over a key that was made here, to the device that it was made for."""

from base64 import urlsafe_b64encode
from typing import Final

from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.hazmat.primitives.serialization.pkcs12 import load_key_and_certificates

from chancery.domain.certificate import CertificateRecord
from chancery.domain.errors import BadRequest
from chancery.domain.identity import Principal
from chancery.domain.request import CertificateRequest
from chancery.ports import Clock, Entropy, KeyVault, Session, Store
from chancery.services.audit import event
from chancery.services.portal import pickup

_PASSPHRASE: Final = 24  # octets


class KeyRelease:
    """Each time is on record; after *window_s* from the first the key is destroyed."""

    def __init__(
        self, store: Store, vault: KeyVault, clock: Clock, entropy: Entropy, window_s: int
    ) -> None:
        self._store = store
        self._vault = vault
        self._clock = clock
        self._entropy = entropy
        self._window_s = window_s

    def run(
        self,
        principal: Principal,
        request: CertificateRequest,
        certificate: CertificateRecord | None,
    ) -> bytes:
        """PKCS#8, DER, in clear: the protocol encrypts it on its way."""
        if request.server_key_id is None or certificate is None:
            raise BadRequest(
                "the key of this request was not made here",
                field="key",
                rule="download.server-key",
            )
        now = self._clock.ms()
        with self._store.read() as session:
            pickup.refuse_late(session, request, now // 1000, self._window_s)
        # The key boundary lets a key out as PKCS#12 alone.
        passphrase = urlsafe_b64encode(self._entropy(_PASSPHRASE)).decode()
        sealed = self._vault.export_pkcs12(request.server_key_id, certificate.der, (), passphrase)
        exported = event(principal, "key.exported", request.id, key=request.key_sha256)

        def unit(session: Session) -> None:
            pickup.refuse_late(session, request, now // 1000, self._window_s)
            session.portal.picked_up(request.id, now // 1000)
            session.audit.append([exported], now)

        self._store.write(unit)
        key, _, _ = load_key_and_certificates(sealed, passphrase.encode())
        assert key is not None
        return key.private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption())
