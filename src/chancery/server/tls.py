"""TLS for listeners: optional client certificates, and new files without a restart."""

import logging
import ssl
from collections.abc import Callable
from pathlib import Path
from typing import Final

_log = logging.getLogger(__name__)
_TLS_1_2: Final = 0x0303
_VERSIONS: Final = {"TLSv1.2": _TLS_1_2, "TLSv1.3": 0x0304}


class TlsContexts:
    """The TLS configuration of a listener, in files that may change at any time.

    *client_cas* holds the certificates (PEM) that client certificates must
    chain to, and *own_cas* gives those of CAs of ours (PEM), whose holders
    mostly show a leaf alone; without any, none is asked for.  Every handshake uses the
    newest configuration that loaded; sessions are not resumed, because a
    resumed one would not verify its client again.
    """

    def __init__(
        self,
        certificate: Path,
        key: Path,
        client_cas: Path | None = None,
        own_cas: Callable[[], str] = lambda: "",
    ) -> None:
        self._certificate = certificate
        self._key = key
        self._client_cas = client_cas
        self._own_cas = own_cas
        self._stamp = self._stamps()
        self._current = self._load()
        self.listening: Final = self._load()
        """What the socket is opened with; each handshake moves on to the newest."""
        self.listening.sni_callback = self._newest

    def refresh(self) -> bool:
        """Load the files if they changed; say whether a new configuration is in force.

        Files that do not load (half replaced, say) leave the old one in force
        and are tried again at the next call.
        """
        stamp = self._stamps()
        if stamp == self._stamp:
            return False
        try:
            self._current = self._load()
        except (OSError, ssl.SSLError) as error:
            _log.warning("the TLS files do not load, the former ones stay in force: %s", error)
            return False
        self._stamp = stamp
        return True

    def _newest(self, connection: ssl.SSLObject, name: str | None, _: ssl.SSLContext) -> None:
        # Called for every ClientHello, also without a server name.
        del name
        connection.context = self._current

    def _load(self) -> ssl.SSLContext:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        context.options |= ssl.OP_NO_TICKET | ssl.OP_NO_RENEGOTIATION
        context.num_tickets = 0  # TLS 1.3
        context.set_alpn_protocols(["http/1.1"])
        context.load_cert_chain(self._certificate, self._key)
        if self._client_cas is not None and _has_content(self._client_cas):
            context.load_verify_locations(self._client_cas)
            context.verify_mode = ssl.CERT_OPTIONAL
        if own := self._own_cas():
            context.load_verify_locations(cadata=own)
            context.verify_mode = ssl.CERT_OPTIONAL
        return context

    def _stamps(self) -> tuple[object, ...]:
        paths = (self._certificate, self._key, self._client_cas)
        return (self._own_cas(), *(_stamp(path) for path in paths if path is not None))


def _has_content(path: Path) -> bool:
    return path.exists() and path.stat().st_size > 0


def _stamp(path: Path) -> tuple[int, int]:
    try:
        found = path.stat()
    except OSError:
        return (0, 0)
    return (found.st_mtime_ns, found.st_ino)


def extension(connection: ssl.SSLObject) -> dict[object, object]:
    """Return the ASGI ``tls`` extension for a connection after its handshake.

    ``client_cert_chain`` holds PEM certificates, leaf first, only if the chain
    was verified; it is empty for a client without a certificate.
    ``chancery.tls_unique`` is ours: the channel binding of RFC 5929 §3, in TLS 1.2.
    """
    version = _VERSIONS.get(connection.version() or "")
    return {
        "tls_version": version,
        "client_cert_chain": _verified_chain(connection),
        "chancery.tls_unique": _tls_unique(connection) if version == _TLS_1_2 else None,
    }


def _tls_unique(connection: ssl.SSLObject) -> bytes | None:
    # The first handshake's, as RFC 7030 §3.5 asks: there is no renegotiation here, and no
    # resumption.  In TLS 1.3 OpenSSL answers too, with what RFC 8446 §C.5 says binds nothing.
    return connection.get_channel_binding("tls-unique")


def _verified_chain(connection: ssl.SSLObject) -> list[str]:
    """Return the verified chain as PEM.  Public from Python 3.13; a contract test holds it."""
    ask = getattr(connection, "get_verified_chain", None)
    if ask is not None:
        return [ssl.DER_cert_to_PEM_cert(der) for der in ask() or ()]
    encoding_pem = 1  # _ssl.ENCODING_PEM
    chain = connection._sslobj.get_verified_chain()  # type: ignore[attr-defined]
    return [certificate.public_bytes(encoding_pem) for certificate in chain or ()]
