"""TLS validation (RFC 8737; RFC 8738 §6 for addresses): a certificate made for it, on port 443."""

import hashlib
import hmac
import ipaddress
from typing import Final

from cryptography import x509

from chancery.adapters.validation.failing import Failed
from chancery.adapters.validation.reaching import connect, trusting_nobody
from chancery.adapters.validation.resolving import addresses
from chancery.domain.acme import Identifier
from chancery.domain.acme_settings import AcmeSettings
from chancery.domain.names import NameKind
from chancery.ports_acme import Question

_PROTOCOL: Final = "acme-tls/1"
_EXTENSION: Final = x509.ObjectIdentifier("1.3.6.1.5.5.7.1.31")
_OCTETS: Final = b"\x04\x20"  # an OCTET STRING of 32


def check(question: Question, settings: AcmeSettings) -> None:
    """Raise Failed unless the host answers with the certificate that RFC 8737 §3 describes."""
    host = question.identifier.base
    der = _certificate(host, _indication(question.identifier), settings)
    try:
        extensions = x509.load_der_x509_certificate(der).extensions
        names = extensions.get_extension_for_class(x509.SubjectAlternativeName).value
        proof = extensions.get_extension_for_oid(_EXTENSION)
    except (ValueError, x509.ExtensionNotFound, x509.DuplicateExtension):
        raise Failed("unauthorized", f"{host} shows a certificate not made for this") from None
    if not _names(names, question.identifier):
        raise Failed("unauthorized", f"the certificate of {host} has other or more names")
    digest = hashlib.sha256(question.key_authorization.encode()).digest()
    value = proof.value
    assert isinstance(value, x509.UnrecognizedExtension)  # nobody knows this one
    if not proof.critical or not hmac.compare_digest(value.value, _OCTETS + digest):
        raise Failed("incorrectResponse", f"the certificate of {host} proves something else")


def _certificate(host: str, indication: str, settings: AcmeSettings) -> bytes:
    context = trusting_nobody()
    context.set_alpn_protocols([_PROTOCOL])
    raw = connect(addresses(host, settings), settings.tls_port, settings.timeout_s)
    try:
        with raw, context.wrap_socket(raw, server_hostname=indication) as secured:
            chosen, der = secured.selected_alpn_protocol(), secured.getpeercert(binary_form=True)
    except TimeoutError:
        raise Failed("connection", f"{host} did not finish TLS in time") from None
    except (OSError, ValueError) as error:
        said = getattr(error, "reason", None) or type(error).__name__
        raise Failed("tls", f"{host} on port {settings.tls_port}: {said}") from None
    if chosen != _PROTOCOL or not der:
        raise Failed("unauthorized", f"{host} does not speak {_PROTOCOL}")
    return der


def _indication(identifier: Identifier) -> str:
    if identifier.kind is NameKind.DNS:
        return identifier.base
    return ipaddress.ip_address(identifier.value).reverse_pointer


def _names(names: x509.SubjectAlternativeName, identifier: Identifier) -> bool:
    found = list(names)
    if len(found) != 1:
        return False
    if identifier.kind is NameKind.DNS:
        only = found[0]
        return isinstance(only, x509.DNSName) and only.value.lower() == identifier.base
    only = found[0]
    return isinstance(only, x509.IPAddress) and str(only.value) == identifier.value
