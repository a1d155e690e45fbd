"""The form of a request: what a profile leaves open, and what was typed, made a submission."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from chancery.domain.algorithms import KeyAlgorithm
from chancery.domain.dn_profile import AttributeRule, ValueSource
from chancery.domain.errors import BadName, BadRequest, TooLarge
from chancery.domain.names import GeneralName, NameKind
from chancery.domain.profile import DAY_S, Override
from chancery.domain.request import Submission
from chancery.domain.subject import attribute_name
from chancery.services.portal.offers import Offer
from chancery.services.portal.wishes import key_choices
from chancery.web.console import content, drafts
from chancery.web.fields import Form
from chancery.web.visit import Visit
from chancery.wire import general_names, pem, pkcs10

NAMES: Final = "names"
"""Rows of names: ``names[0].kind``, ``names[0].value``."""
_DEFAULT: Final = (NameKind.DNS, NameKind.EMAIL, NameKind.UPN)
_EXAMPLES: Final = {
    NameKind.DNS: "www.example.org",
    NameKind.IP: "192.0.2.10",
    NameKind.EMAIL: "name@example.org",
    NameKind.URI: "https://www.example.org/",
    NameKind.UPN: "name@example.org",
    NameKind.DIRECTORY: "CN=Name,O=Example",
    NameKind.REGISTERED_ID: "1.3.6.1.4.1.32473.1",
    NameKind.OTHER: "1.3.6.1.4.1.32473.2;0c0161",
}


@dataclass(frozen=True, slots=True)
class Attribute:
    """One field of the subject.  *name* is the field's; of two OU rules it tells them apart."""

    name: str
    short: str
    label: str
    required: bool
    help: str
    placeholder: str


@dataclass(frozen=True, slots=True)
class Open:
    """What a profile leaves to the requester.  *by_server*: the key is made here."""

    offer: Offer
    by_server: bool
    keys: tuple[KeyAlgorithm, ...]
    attributes: tuple[Attribute, ...]
    kinds: tuple[tuple[str, str], ...]
    examples: str
    days: int | None  # the most; None: not to be chosen
    usual_days: int
    extensions: tuple[tuple[str, bool], ...]  # OID, and whether it must be there

    @property
    def fresh(self) -> dict[str, drafts.Row]:
        """What a new row of each list holds."""
        kind = self.kinds[0][0] if self.kinds else NameKind.DNS.value
        return {NAMES: [("kind", kind), ("value", "")]}


def left_open(offer: Offer, *, by_server: bool) -> Open:
    """What there is to fill in."""
    profile = offer.profile
    kinds: list[NameKind] = []
    if Override.SAN in profile.overrides:
        kinds = [rule.kind for rule in profile.san if rule.from_requester]
        kinds.sort(key=lambda kind: (kind not in _DEFAULT, list(NameKind).index(kind)))
    return Open(
        offer,
        by_server,
        key_choices(profile),
        tuple(_attributes(offer, by_server=by_server)),
        tuple((kind.value, content.KINDS[kind.value]) for kind in kinds),
        ", ".join(_EXAMPLES[kind] for kind in kinds[:3]),
        profile.max_validity_s // DAY_S if Override.VALIDITY in profile.overrides else None,
        profile.validity_s // DAY_S,
        tuple((slot.oid, slot.required) for slot in profile.custom if slot.der_hex is None),
    )


def submission(form: Form, given: Open) -> Submission:
    """What was typed; BadRequest beside the field that cannot be read."""
    offer = given.offer
    key = form.required("server_key", "the kind of key") if given.by_server else None
    return Submission(
        offer.profile.name,
        ra=offer.ra.name,
        authority=form.text("authority") or None,
        csr=None if given.by_server else form.required("csr", "the CSR").encode(errors="replace"),
        server_key=key,
        subject=tuple(_subject(form, given)),
        names=tuple(_names(form)) if given.kinds else (),
        extensions=tuple(_extensions(form, given)),
        days=form.number("days", least=1, most=100_000) if given.days else None,
        note=form.text("note"),
    )


def typed(sent: Submission, offer: Offer) -> drafts.Pairs:
    """The fields as somebody would have typed them who sends *sent*."""
    given = left_open(offer, by_server=sent.server_key is not None)
    pairs = [("authority", sent.authority or "")]
    if sent.csr is not None:
        pairs.append(("csr", _text(sent.csr)))
    if sent.server_key is not None:
        pairs.append(("server_key", sent.server_key))
    left = list(sent.subject)
    for field in given.attributes:
        found = next((pair for pair in left if attribute_name(pair[0]) == field.short), None)
        if found is not None:
            left.remove(found)
            pairs.append((field.name, found[1]))
    for place, name in enumerate(sent.names):
        pairs += [
            (f"{NAMES}[{place}].kind", name.kind.value),
            (f"{NAMES}[{place}].value", name.value),
        ]
    pairs += [(f"extensions.{oid}", der.hex()) for oid, der in sent.extensions]
    pairs.append(("days", str(sent.days) if sent.days else ""))
    return pairs


def take_in(visit: Visit) -> None:
    """Put a CSR that came as a file where a pasted one stands, so that it stays in the form."""
    upload = visit.form.file("file")
    if upload is None or not upload.data:
        return
    if len(upload.data) > 2 * pkcs10.MAX_OCTETS:
        raise TooLarge("that is no CSR: it is too long", field="file", rule="csr.size")
    kept = [pair for pair in visit.form.pairs() if pair[0] != "csr"]
    drafts.show_instead(visit, [*kept, ("csr", _text(upload.data))])


def _text(csr: bytes) -> str:
    if pem.is_der(csr):
        return pem.encode("CERTIFICATE REQUEST", csr)
    return csr.decode("utf-8", "replace").replace("\0", "")


def _attributes(offer: Offer, *, by_server: bool) -> Iterator[Attribute]:
    seen: dict[str, int] = {}
    override = Override.SUBJECT in offer.profile.overrides
    for rule in offer.dn_profile.attributes:
        from_csr = rule.source is ValueSource.CSR
        if rule.source is ValueSource.FIXED:
            continue
        if from_csr and not by_server and not (override and rule.editable):
            continue
        short = attribute_name(rule.oid)
        seen[short] = seen.get(short, 0) + 1
        name = f"subject.{short}" if seen[short] == 1 else f"subject.{short}.{seen[short]}"
        yield Attribute(
            name,
            short,
            content.attribute(short),
            rule.required and rule.value is None and (by_server or not from_csr),
            _help(rule),
            rule.value or "",
        )


def _help(rule: AttributeRule) -> str:
    if rule.value is not None:
        return f"{rule.value} if you leave it empty."
    return f"It must match {rule.regex}" if rule.regex else ""


def _subject(form: Form, given: Open) -> Iterator[tuple[str, str]]:
    for field in given.attributes:
        if value := form.text(field.name):
            yield field.short, value


def _names(form: Form) -> Iterator[GeneralName]:
    for place in range(drafts.rows(form, NAMES)):
        value = form.text(f"{NAMES}[{place}].value")
        if not value:
            continue
        kind = form.text(f"{NAMES}[{place}].kind", NameKind.DNS.value)
        try:
            yield general_names.parse(f"{kind}:{value}")
        except BadRequest as error:
            raise BadName(
                str(error),
                field=f"{NAMES}[{place}].value",
                rule=error.rule,
                remedy=error.remedy,
            ) from None


def _extensions(form: Form, given: Open) -> Iterator[tuple[str, bytes]]:
    for oid, _ in given.extensions:
        text = "".join(form.text(f"extensions.{oid}").replace(":", "").split())
        if not text:
            continue
        try:
            yield oid, bytes.fromhex(text)
        except ValueError:
            raise BadRequest(
                "not hexadecimal",
                field=f"extensions.{oid}",
                rule="extension.hex",
                remedy="write the DER value as hex digits",
            ) from None
