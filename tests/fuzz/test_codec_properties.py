"""Codecs of the wire: decode(encode(x)) == x, and no octets raise anything unplanned."""

import ipaddress
import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from chancery.domain import name_syntax
from chancery.domain.dn_profile import DnProfile
from chancery.domain.errors import CAError
from chancery.domain.names import (
    ATTRIBUTES,
    Attribute,
    DistinguishedName,
    GeneralName,
    NameKind,
    Syntax,
)
from chancery.domain.profile import ExtensionProfile, SanRule
from chancery.domain.profile_rules import check_profile
from chancery.domain.request import Submission
from chancery.domain.san_rules import select_names
from chancery.domain.shipped import DN_PROFILES, PROFILES
from chancery.domain.subject import build_subject
from chancery.wire import algorithms, der, documents, general_names, names, tbs

ARCS = st.integers(0, 2**64)
OIDS = st.one_of(
    st.builds(lambda a, b, c: ".".join(map(str, (a, b, *c))), st.integers(0, 1), st.integers(0, 39), st.lists(ARCS, max_size=5)),
    st.builds(lambda b, c: ".".join(map(str, (2, b, *c))), ARCS, st.lists(ARCS, max_size=5)),
)  # fmt: skip

TEXTS: dict[Syntax, st.SearchStrategy[str]] = {
    Syntax.UTF8: st.text(st.characters(codec="utf-8")),
    Syntax.UNIVERSAL: st.text(st.characters(codec="utf-8")),
    Syntax.BMP: st.text(st.characters(codec="utf-8", max_codepoint=0xFFFF)),
    Syntax.TELETEX: st.text(st.characters(max_codepoint=0xFF)),
    Syntax.IA5: st.text(st.characters(codec="ascii")),
    Syntax.PRINTABLE: st.text("ABCXYZabcxyz0189 '()+,-./:=?"),
    Syntax.NUMERIC: st.text("0123456789 "),
}
ATTRIBUTE = st.sampled_from(Syntax).flatmap(
    lambda syntax: st.builds(Attribute, OIDS, TEXTS[syntax], st.just(syntax))
)
NAMES = st.builds(
    DistinguishedName,
    st.lists(st.lists(ATTRIBUTE, min_size=1, max_size=3).map(tuple), max_size=5).map(tuple),
)
KNOWN = st.sampled_from(sorted(ATTRIBUTES)).flatmap(
    lambda name: st.builds(
        Attribute,
        st.just(ATTRIBUTES[name][0]),
        TEXTS[ATTRIBUTES[name][1]],
        st.just(ATTRIBUTES[name][1]),
    )
)
TYPICAL = st.builds(
    DistinguishedName,
    st.lists(st.lists(KNOWN, min_size=1, max_size=2).map(tuple), max_size=5).map(tuple),
)

LABELS = st.from_regex(r"[a-z]([a-z0-9]{0,10}[a-z0-9])?", fullmatch=True)
HOSTS = st.lists(LABELS, min_size=1, max_size=5).map(".".join)
LOCALS = st.from_regex(r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]{1,20}", fullmatch=True)
GENERAL_NAMES = st.one_of(
    HOSTS.map(lambda v: GeneralName(NameKind.DNS, v)),
    HOSTS.map(lambda v: GeneralName(NameKind.DNS, f"*.{v}")),
    st.builds(lambda u, h: GeneralName(NameKind.EMAIL, f"{u}@{h}"), LOCALS, HOSTS),
    st.ip_addresses().map(lambda v: GeneralName(NameKind.IP, str(v))),
    st.builds(lambda h, p: GeneralName(NameKind.URI, f"https://{h}/{p}"), HOSTS, LABELS),
    st.builds(lambda u, h: GeneralName(NameKind.UPN, f"{u}@{h}"), LOCALS, HOSTS),
    OIDS.map(lambda v: GeneralName(NameKind.REGISTERED_ID, v)),
    st.builds(
        lambda o, v: GeneralName(NameKind.OTHER, f"{o};{der.octet_string(v).hex()}"),
        OIDS,
        st.binary(max_size=300),
    ),
    TYPICAL.filter(lambda n: bool(n.rdns)).map(lambda n: GeneralName(NameKind.DIRECTORY, n.text)),
)


def _encoding(attribute: Attribute) -> bytes:
    rdn = der.single(names.encode_name(DistinguishedName(((attribute,),))))[1]
    return der.single(rdn, der.SET)[1]


def _sorted(name: DistinguishedName) -> DistinguishedName:
    """The order of attributes in an RDN that DER knows."""
    return DistinguishedName(tuple(tuple(sorted(rdn, key=_encoding)) for rdn in name.rdns))


def _planned(parse: Callable[[Any], object], value: object) -> object:
    """What *parse* returns, or None where it refuses in the planned way."""
    try:
        return parse(value)
    except CAError as caught:
        error = caught
    assert error.field
    assert error.rule
    assert error.remedy
    return None


@given(st.integers())
def test_integers(value: int) -> None:
    assert der.decode_integer(der.single(der.integer(value), der.INTEGER)[1]) == value


@given(OIDS)
def test_oids(dotted: str) -> None:
    assert der.decode_oid(der.single(der.oid(dotted), der.OID)[1]) == dotted
    assert name_syntax.is_oid(dotted)


@given(st.integers(0, 253_402_300_799))
def test_times(unix: int) -> None:
    tag, content = der.single(der.time(unix))
    assert der.decode_time(tag, content) == unix


@given(st.sets(st.integers(0, 40)))
def test_named_bits(positions: set[int]) -> None:
    encoded = der.named_bits(tuple(positions))
    assert der.decode_named_bits(der.single(encoded)[1]) == tuple(sorted(positions))


@given(NAMES)
def test_names(name: DistinguishedName) -> None:
    encoded = names.encode_name(name)
    decoded = names.decode_name(encoded)
    assert decoded == _sorted(name)
    assert names.encode_name(decoded) == encoded


@given(TYPICAL)
def test_name_text(name: DistinguishedName) -> None:
    if len(name.text) <= names.MAX_TEXT:
        assert names.parse_text(name.text) == name


@given(GENERAL_NAMES)
def test_general_names(name: GeneralName) -> None:
    canonical = general_names.normalise(name)
    assert general_names.normalise(canonical) == canonical
    assert general_names.decode_san(general_names.encode_san([canonical])) == (canonical,)
    assert general_names.parse(canonical.text) == canonical


@given(st.sampled_from((*PROFILES, *DN_PROFILES)), st.text(st.characters(codec="utf-8")))
def test_documents(profile: object, text: str) -> None:
    value = replace(profile, description=text)  # type: ignore[type-var]
    assert documents.decode(type(value), documents.encode(value), "document") == value


@given(
    st.builds(
        Submission,
        profile=st.text(st.characters(codec="utf-8")),
        csr=st.none() | st.binary(),
        subject=st.lists(st.tuples(st.sampled_from(sorted(ATTRIBUTES)), st.text("ab"))).map(tuple),
        names=st.lists(GENERAL_NAMES, max_size=3).map(tuple),
        extensions=st.lists(st.tuples(OIDS, st.binary()), max_size=3).map(tuple),
        days=st.none() | st.integers(),
    )
)
def test_submissions(value: Submission) -> None:
    assert documents.decode(Submission, documents.encode(value), "submission") == value


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(
        st.sampled_from(["name", "san", "kind", "custom", "oid", "x"]), inner
    ),
    max_leaves=10,
)  # fmt: skip


@given(JSON)
def test_no_document_raises_anything_unplanned(value: object) -> None:
    def read(data: object) -> None:
        check_profile(documents.decode(ExtensionProfile, data, "profile"))

    _planned(read, value)
    _planned(read, json.dumps(value).encode())


@given(st.binary(max_size=400))
def test_no_octets_raise_anything_unplanned(data: bytes) -> None:
    for decode in (
        names.decode_name,
        general_names.decode_san,
        algorithms.signature_algorithm_of,
        algorithms.load_key,
        tbs.key_identifier,
        lambda d: documents.decode(Submission, d, "submission"),
        der.single,
        der.decode_integer,
        der.decode_oid,
        der.decode_named_bits,
        der.decode_boolean,
        lambda d: der.decode_time(der.UTC_TIME, d),
        lambda d: der.decode_time(der.GENERALIZED_TIME, d),
    ):
        _planned(decode, data)


@given(st.data())
def test_damaged_values_raise_nothing_unplanned(data: st.DataObject) -> None:
    """Mostly valid octets reach deeper than random ones."""
    name = data.draw(NAMES | st.none())
    if name is not None:
        encoded, decode = names.encode_name(name), names.decode_name
    else:
        chosen = data.draw(st.lists(GENERAL_NAMES, max_size=3))
        encoded = general_names.encode_san(map(general_names.normalise, chosen))
        decode = general_names.decode_san
    broken = bytearray(encoded)
    for at in data.draw(st.lists(st.integers(0, len(broken) - 1), min_size=1, max_size=3)):
        broken[at] = data.draw(st.integers(0, 255))
    decoded = _planned(decode, bytes(broken))
    if isinstance(decoded, DistinguishedName):
        assert names.encode_name(decoded) == bytes(broken)  # DER: one value, one encoding


@given(st.text(), st.sampled_from(NameKind))
def test_no_text_raises_anything_unplanned(text: str, kind: NameKind) -> None:
    for parse in (
        names.parse_text,
        general_names.parse,
        der.oid,
        lambda t: general_names.normalise(GeneralName(kind, t)),
        lambda t: general_names.encode(GeneralName(kind, t)),
        lambda t: name_syntax.canonical(GeneralName(kind, t)),
    ):
        _planned(parse, text)


@given(st.text(), st.sampled_from(NameKind), st.sampled_from(sorted(ATTRIBUTES)))
def test_rules_raise_nothing_unplanned(text: str, kind: NameKind, name: str) -> None:
    """Whatever the CSR says, it ends in a clean subject and SAN or in a CAError."""
    profile = replace(
        PROFILES[0],
        san=tuple(
            SanRule(k, suffixes=(".a.example",) if k is NameKind.DNS else ()) for k in NameKind
        ),
    )
    subject = DistinguishedName(((Attribute(ATTRIBUTES[name][0], text, Syntax.UTF8),),))

    def build(dn_profile: DnProfile) -> None:
        built = build_subject(dn_profile, subject, (), may_override=False)
        names.encode_name(built)
        chosen = select_names(profile, (GeneralName(kind, text),), (), built)
        general_names.encode_san(chosen)

    for dn_profile in DN_PROFILES:
        _planned(build, dn_profile)


@given(st.ip_addresses())
def test_addresses_have_one_form(address: ipaddress.IPv4Address | ipaddress.IPv6Address) -> None:
    assert name_syntax.ip(address.exploded) == str(address)
