"""The TLS certificate of the service itself: made at first, renewed in time (C26).

Its key is a file of the instance, because the worker terminates TLS; the
certificate goes the road of every other one.
"""

import ipaddress
import socket
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import urlsplit

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from chancery.app.instance_files import write_private, write_public
from chancery.app.office import Office, open_office
from chancery.domain.errors import Unavailable
from chancery.domain.identity import SYSTEM
from chancery.domain.request import Submission
from chancery.server.maintenance import Trouble
from chancery.settings import load

_Address = ipaddress.IPv4Address | ipaddress.IPv6Address
_LOOPBACK = (ipaddress.IPv4Address("127.0.0.1"), ipaddress.IPv6Address("::1"))

RA = "service"
PROFILE = "tls-server"


def first_own_certificate(office: Office) -> None:
    _replace(office)


def renew_own_certificate_now(config: Path) -> int:
    """Make a new one whatever the age of the present, on this machine; when it ends.

    For the way out of maintenance.  Unavailable says why it cannot be made.
    """
    with open_office(load(config)) as office:
        _replace(office)
        return _ends(office)


def own_certificate_trouble(office: Office) -> Trouble | None:
    """What to do about a certificate that has expired; None while it has not.

    One that cannot be read is no trouble of this kind: the listeners keep the last that loaded.
    """
    try:
        ends = _ends(office)
    except (OSError, ValueError):
        return None
    if ends > office.clock.s():
        return None
    when = datetime.fromtimestamp(ends, UTC)
    return Trouble(
        f"this server's own certificate expired at {when:%Y-%m-%d %H:%M} UTC",
        "on the server, run `chancery config renew-certificate`, or put another one with its"
        " key into the files of [tls]; no restart is needed",
    )


def _ends(office: Office) -> int:
    present = x509.load_pem_x509_certificate(office.settings.tls.certificate.read_bytes())
    return int(present.not_valid_after_utc.timestamp())


def renew_own_certificate(office: Office) -> bool:
    """Renew once half of its life is over; say whether it was."""
    present = x509.load_pem_x509_certificate(office.settings.tls.certificate.read_bytes())
    begins = present.not_valid_before_utc.timestamp()
    ends = present.not_valid_after_utc.timestamp()
    if office.clock.s() < (begins + ends) / 2:
        return False
    _replace(office)
    return True


def _replace(office: Office) -> None:
    """A new key, a new certificate; the key is written first, and both are whole files."""
    key = ec.generate_private_key(ec.SECP256R1())
    hosts, addresses = _names(office)
    subject = [x509.NameAttribute(NameOID.COMMON_NAME, host) for host in hosts[:1]]
    csr = (
        x509.CertificateSigningRequestBuilder()
        .subject_name(x509.Name(subject))
        .add_extension(
            x509.SubjectAlternativeName(
                [*map(x509.DNSName, hosts), *(x509.IPAddress(one) for one in addresses)]
            ),
            critical=not subject,
        )
        .sign(key, hashes.SHA256())
    )
    submitted = office.registration.submit(
        SYSTEM,
        Submission(PROFILE, ra=RA, csr=csr.public_bytes(serialization.Encoding.DER)),
    )
    if submitted.certificate is None:
        raise Unavailable(
            "the service's own certificate waits for approval",
            field="tls.certificate",
            rule="own-certificate",
            remedy=f"let {RA} ask for no approvals, or approve request {submitted.request.id}",
        )
    chain = office.delivery.download(SYSTEM, submitted.request.id, "chain").data
    private = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    # One file first, then the other: a worker that reads between them sees a pair that does
    # not match, keeps what it has, and looks again.
    write_private(office.settings.tls.key, private)
    write_public(office.settings.tls.certificate, chain)


def _names(office: Office) -> tuple[list[str], list[_Address]]:
    """Host names and addresses under which the listener is reached."""
    hosts = [socket.gethostname().lower()]
    addresses: list[_Address] = [*_LOOPBACK]
    configured = urlsplit(office.settings.listen.https_url).hostname or ""
    try:
        addresses.append(ipaddress.ip_address(configured))
    except ValueError:
        hosts.insert(0, configured)
    # A name without a dot names something else on every network, so it proves nothing;
    # localhost is what people type on the machine itself.
    qualified = [host for host in hosts if "." in host or host == configured] + ["localhost"]
    return list(dict.fromkeys(qualified)), list(dict.fromkeys(addresses))
