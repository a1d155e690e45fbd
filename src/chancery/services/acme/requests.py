"""Whether a certification request is the one that an order is about."""

from collections.abc import Sequence
from typing import Final

from chancery.domain import name_syntax
from chancery.domain.acme import Account, Identifier
from chancery.domain.errors import BadCSR, BadName, BadRequest
from chancery.domain.names import GeneralName, NameKind
from chancery.wire import pkcs10
from chancery.wire.pkcs10 import CertificationRequest

_COMMON_NAME: Final = "2.5.4.3"


def read(der: bytes, account: Account, identifiers: Sequence[Identifier]) -> CertificationRequest:
    """Read it; BadCSR unless it names exactly *identifiers*, with a key of its own."""
    try:
        csr = pkcs10.decode(der)
        pkcs10.check_signature(csr)
    except BadCSR:
        raise
    except BadRequest as error:
        raise as_csr(error) from error
    if csr.key_sha256 == account.key_sha256:
        raise BadCSR(
            "the key of the account is not to be certified",
            field="csr",
            rule="acme.csr.account-key",
            remedy="make a key for the certificate alone",
        )
    wanted = {one.name for one in identifiers}
    found = {*map(_canonical, csr.names), *_common_names(csr, wanted)}
    if found != wanted:
        odd = min(one.text for one in found ^ wanted)
        raise BadCSR(
            f"it does not name exactly what was ordered: {odd[:200]}",
            field="csr",
            rule="acme.csr.names",
            remedy="name every identifier of the order, and nothing else",
        )
    return csr


def as_csr(error: BadRequest) -> BadCSR:
    """What is wrong with a request, said of the request."""
    return BadCSR(str(error), field=error.field, rule=error.rule, remedy=error.remedy)


def _common_names(csr: CertificationRequest, wanted: set[GeneralName]) -> set[GeneralName]:
    """Those of the subject: each must be one of the identifiers (RFC 8555 §7.4)."""
    found = set()
    for value in csr.subject.values(_COMMON_NAME):
        text = value.lower()
        address = GeneralName(NameKind.IP, text)
        found.add(address if address in wanted else GeneralName(NameKind.DNS, text))
    return found


def _canonical(name: GeneralName) -> GeneralName:
    try:
        return name_syntax.canonical(name)
    except BadName as error:
        raise as_csr(error) from error
