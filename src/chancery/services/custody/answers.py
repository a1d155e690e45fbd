"""Is this answer the answer?  Every thing in it was asked for, and is what was asked for."""

from dataclasses import dataclass

from chancery.domain.custody import SigningBundle
from chancery.domain.errors import BadRequest, CAError, Conflict
from chancery.ports import Session
from chancery.services.issuers import decode, find
from chancery.wire import ca_certificate, crl, pkcs10, signing_bundle
from chancery.wire.signing_bundle import Answer, Request, Signed, Wish


@dataclass(frozen=True, slots=True)
class Judged:
    """One thing that may be taken in.  *known*: it is on record already."""

    wish: Wish
    ders: tuple[bytes, ...]
    known: bool


def judged(session: Session, bundle: SigningBundle, answer: Answer) -> list[Judged]:
    """Raise Conflict for the first thing that was not asked for, or is missing; else all of it."""
    request, _ = signing_bundle.open_request(signing_bundle.seal_request(bundle.text, {}), None)
    if answer.request_sha256 != bundle.sha256:
        raise _refused("it answers another request of the same id", "bundle.request")
    wishes = {wish.id: wish for wish in request.items}
    _check_same(request, answer)
    return [_one(session, wishes[item.id], item) for item in answer.items]


def _check_same(request: Request, answer: Answer) -> None:
    wanted = {wish.id: wish for wish in request.items}
    given = [item.id for item in answer.items]
    strange = [
        f"{item.kind} {item.id}"
        for item in answer.items
        if item.id not in wanted or wanted[item.id].kind != item.kind
    ]
    if strange:
        raise _refused(f"nobody asked for {', '.join(strange)}", "bundle.unasked")
    if len(set(given)) < len(given):
        raise _refused("it answers one thing twice", "bundle.unasked")
    if missing := [f"{w.kind} of {w.authority}" for w in request.items if w.id not in given]:
        raise _refused(f"it lacks the {', the '.join(missing)}", "bundle.incomplete")


def _one(session: Session, wish: Wish, item: Signed) -> Judged:
    field = f"items[{item.id}]"
    ders = tuple(signing_bundle.decode(text, field) for text in item.data)
    if not ders:
        raise _refused(f"item {item.id} is empty", "bundle.item", field)
    try:
        if wish.kind == "crl":
            return _crl(session, wish, ders, field)
        return _certificate(session, wish, ders, field)
    except BadRequest as error:
        raise BadRequest(
            f"item {item.id}, the {wish.kind} of {wish.authority}: {error}",
            field=field,
            rule=error.rule,
            remedy=error.remedy,
        ) from error


def _certificate(session: Session, wish: Wish, ders: tuple[bytes, ...], field: str) -> Judged:
    made = ca_certificate.decode(ders[0])
    csr = pkcs10.decode(signing_bundle.decode(wish.csr, field))
    if made.spki != csr.spki or made.subject != csr.subject:
        raise _refused(
            f"the certificate of {made.subject.text} is not for the CSR of {wish.authority}",
            "bundle.unasked",
            field,
        )
    if len(ders) > 1 and not made.signed_by(ca_certificate.decode(ders[1])):
        raise _refused(
            f"the certificate of {wish.authority} is not signed by what comes with it",
            "chain.signature",
            field,
        )
    known = any(one.der == ders[0] for one in session.authorities.certificates(wish.authority))
    return Judged(wish, ders, known)


def _crl(session: Session, wish: Wish, ders: tuple[bytes, ...], field: str) -> Judged:
    if len(ders) != 1:
        raise _refused(f"the CRL of {wish.authority} is one file", "bundle.item", field)
    found = crl.decode(ders[0])
    authority = find(session, wish.authority)
    assert authority.certificate is not None  # it was asked for as the issuer
    issuer = decode(authority.certificate)
    if found.key_identifier != issuer.key_identifier:
        raise _refused(f"the CRL is not one of {wish.authority}", "bundle.unasked", field)
    latest = session.crls.latest(wish.authority)
    known = latest is not None and latest.number == found.number
    if not known and found.number <= wish.above:
        raise _refused(
            f"the CRL of {wish.authority} has number {found.number}, not above {wish.above}",
            "crl.number",
            field,
        )
    if lacking := crl.unlisted(ders[0], [serial for serial, _ in wish.revoke]):
        raise _refused(
            f"the CRL of {wish.authority} does not list {', '.join(lacking)}",
            "bundle.incomplete",
            field,
        )
    return Judged(wish, ders, known)


def _refused(why: str, rule: str, field: str = "bundle") -> CAError:
    return Conflict(
        why, field=field, rule=rule, remedy="nothing was taken; see what the ceremony made"
    )
