"""CSR attributes, read by another implementation: pyasn1-alt-modules, by the author of the RFC's ASN.1."""

from collections.abc import Iterator
from typing import Any

import pytest
from pyasn1.codec.der.decoder import decode
from pyasn1_alt_modules import rfc5280, rfc7030, rfc9908

from chancery.domain.profile import KeyUsage
from chancery.wire import csrattrs, names

CN, ORG = "2.5.4.3", "2.5.4.10"
USAGES = csrattrs.usages([KeyUsage.DIGITAL_SIGNATURE], ["1.3.6.1.5.5.7.3.2"], critical=True)


def items(wanted: csrattrs.Wanted) -> Iterator[Any]:
    """Each item's OID as text, or its attribute as (OID, [DER of the values])."""
    found, rest = decode(csrattrs.encode(wanted), asn1Spec=rfc7030.CsrAttrs())
    assert not rest
    for item in found:
        if item.getName() == "oid":
            yield str(item["oid"])
        else:
            attribute = item["attribute"]
            yield str(attribute["attrType"]), [bytes(value) for value in attribute["attrValues"]]


def template(wanted: csrattrs.Wanted) -> Any:
    oid, values = next(items(wanted))
    assert oid == str(rfc9908.id_aa_certificationRequestInfoTemplate)
    found, rest = decode(values[0], asn1Spec=rfc9908.CertificationRequestInfoTemplate())
    assert not rest
    return found


def test_a_subject_of_fixed_and_open_values() -> None:
    wanted = csrattrs.Wanted(subject=((ORG, names.parse_text("O=Example")), (CN, None)))
    rdns = template(wanted)["subject"]["rdnSequence"]
    assert [(str(rdn[0]["type"]), rdn[0]["value"].hasValue()) for rdn in rdns] == [
        (ORG, True),
        (CN, False),
    ]


def test_a_free_subject_is_left_out() -> None:
    assert not template(csrattrs.Wanted())["subject"].hasValue()
    assert not template(csrattrs.Wanted())["subjectPKInfo"].hasValue()


@pytest.mark.parametrize(
    ("key", "oid", "older"),
    [
        ("ec-p384", "1.2.840.10045.2.1", ("1.2.840.10045.2.1", ["06052b81040022"])),
        ("ed25519", "1.3.101.112", "1.3.101.112"),
        ("ml-dsa-65", "2.16.840.1.101.3.4.3.18", "2.16.840.1.101.3.4.3.18"),
        ("rsa-3072", "1.2.840.113549.1.1.1", ("1.2.840.113549.1.1.1", ["02020c00"])),
        ("rsa", "1.2.840.113549.1.1.1", "1.2.840.113549.1.1.1"),
    ],
)
def test_the_key_in_both_forms(key: str, oid: str, older: Any) -> None:
    wanted = csrattrs.Wanted(key=key)
    info = template(wanted)["subjectPKInfo"]
    assert str(info["algorithm"]["algorithm"]) == oid
    plain = [(i[0], [v.hex() for v in i[1]]) if isinstance(i, tuple) else i for i in items(wanted)]
    assert older in plain[1:]


def test_the_size_of_an_rsa_key_is_that_of_a_placeholder() -> None:
    bits = template(csrattrs.Wanted(key="rsa-3072"))["subjectPKInfo"]["subjectPublicKey"]
    numbers, _ = decode(bits.asOctets())
    assert int(numbers[0]).bit_length() == 3072
    assert not template(csrattrs.Wanted(key="rsa"))["subjectPKInfo"]["subjectPublicKey"].hasValue()


def test_extensions_fixed_and_open() -> None:
    wanted = csrattrs.Wanted(fixed=USAGES, open=("2.5.29.17",))
    attribute = template(wanted)["attributes"][0]
    assert str(attribute["type"]) == str(rfc9908.id_aa_extensionReqTemplate)
    value = (
        attribute["values"][0].asOctets()
        if hasattr(attribute["values"][0], "asOctets")
        else bytes(attribute["values"][0])
    )
    found, _ = decode(value, asn1Spec=rfc9908.ExtensionReqTemplate())
    assert [(str(e["extnID"]), e["extnValue"].hasValue()) for e in found] == [
        ("2.5.29.15", True),
        ("2.5.29.37", True),
        ("2.5.29.17", False),
    ]


def test_fixed_extensions_alone_need_no_template_of_extensions() -> None:
    wanted = csrattrs.Wanted(fixed=USAGES)
    attribute = template(wanted)["attributes"][0]
    assert str(attribute["type"]) == csrattrs.EXTENSION_REQUEST
    older = dict(item for item in items(wanted) if isinstance(item, tuple))
    found, _ = decode(older[csrattrs.EXTENSION_REQUEST][0], asn1Spec=rfc5280.Extensions())
    assert [str(e["extnID"]) for e in found] == ["2.5.29.15", "2.5.29.37"]


def test_the_challenge_is_an_oid_alone() -> None:
    assert csrattrs.CHALLENGE_PASSWORD in list(items(csrattrs.Wanted(challenge=True)))
    assert csrattrs.CHALLENGE_PASSWORD not in list(items(csrattrs.Wanted()))
