"""How an authority that comes from elsewhere stands to those that are here."""

from dataclasses import replace

from chancery.domain.errors import AlreadyExists
from chancery.ports import Session
from chancery.services.issuers import decode
from chancery.wire.ca_certificate import CaCertificate


def check_new_key(session: Session, name: str, decoded: CaCertificate) -> None:
    """Raise AlreadyExists if another authority has this key.

    Two authorities of one key would issue two CRLs, each without the other's entries.
    """
    for other in session.authorities.all():
        keys = {decode(one.der).spki for one in session.authorities.certificates(other.name)}
        if other.name != name and decoded.spki in keys:
            raise AlreadyExists(
                f"a CA with this key exists: {other.name}",
                field="certificate",
                rule="authority.key-taken",
                remedy=f"use {other.name}; `chancery ca upload` gives it another certificate",
            )


def adopt(session: Session, name: str, decoded: CaCertificate) -> None:
    """Authorities that came before the one above them stand below it from now on."""
    for other in session.authorities.all():
        if other.name == name or other.parent is not None or other.certificate is None:
            continue
        below = decode(other.certificate)
        if not below.self_issued and below.signed_by(decoded):
            session.authorities.update(replace(other, parent=name))


def parent_of(session: Session, decoded: CaCertificate) -> str | None:
    """The authority of ours that signed it, if one did."""
    if decoded.self_issued:
        return None
    for other in session.authorities.all():
        if other.certificate and decoded.signed_by(decode(other.certificate)):
            return other.name
    return None
