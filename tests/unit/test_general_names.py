"""General names: canonical forms, refusals, and pyca's encoding as the yardstick."""

import ipaddress
from datetime import UTC, datetime

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding

from chancery.domain.errors import BadName, BadRequest
from chancery.domain.names import GeneralName, NameKind
from chancery.wire import der, general_names
from chancery.wire.describe import describe_certificate
from chancery.wire.general_names import decode_san, encode, encode_san, normalise, parse

CANONICAL = {
    "dns:WWW.Example.ORG.": "dns:www.example.org",
    "dns:*.example.org": "dns:*.example.org",
    "dns:bücher.example": "dns:xn--bcher-kva.example",
    "dns:*.BÜCHER.example": "dns:*.xn--bcher-kva.example",
    "dns:localhost": "dns:localhost",
    "dns:3com.example": "dns:3com.example",
    "email:Alice.O'Hara@Example.org": "email:Alice.O'Hara@Example.org",
    "email:alice@bücher.example": "email:alice@xn--bcher-kva.example",
    "ip:192.0.2.1": "ip:192.0.2.1",
    "ip:2001:DB8:0:0::1": "ip:2001:db8::1",
    "uri:HTTPS://example.org/x?y=%20#z": "uri:https://example.org/x?y=%20#z",
    "uri:spiffe://example.org/billing": "uri:spiffe://example.org/billing",
    "uri:urn:uuid:f81d4fae-7dec-11d0-a765-00a0c91e6bf6": (
        "uri:urn:uuid:f81d4fae-7dec-11d0-a765-00a0c91e6bf6"
    ),
    "uri:http://[2001:db8::1]:8080/": "uri:http://[2001:db8::1]:8080/",
    "upn:Zoë@corp.example.org": "upn:Zoë@corp.example.org",
    "directory:O=Example, CN=x": "directory:O=Example,CN=x",
    "directory:CN=\\ ": "directory:CN=\\ ",
    "registered-id:1.2.3.4": "registered-id:1.2.3.4",
    "other:1.2.3;0C0161": "other:1.2.3;0c0161",
}
REFUSED = [
    "dns:", "dns:.", "dns:a..b", "dns:.example.org", "dns:-a.example", "dns:a-.example",
    "dns:a_b.example", "dns:a b.example", "dns:a\x00.example.org", "dns:a\n.example",
    "dns:" + "a" * 64 + ".example", "dns:" + ".".join(["abcdefg"] * 32), "dns:10.0.0.1",
    "dns:*", "dns:*.", "dns:a.*.example", "dns:*a.example", "dns:*.*.example", "dns:xn--a.example",
    "dns:xn--0.example", "dns:☃-.example", "dns:http://example.org",
    "email:alice", "email:@example.org", "email:alice@", "email:a b@example.org",
    "email:alice@*.example.org", "email:zoë@example.org", "email:a@b@example.org",
    "email:a@example.org\x00.evil.example", "email:.a@example.org",
    "ip:", "ip:192.0.2", "ip:192.0.2.256", "ip:192.0.2.0/24", "ip:fe80::1%eth0", "ip:192.0.2.01",
    "uri:", "uri:example.org", "uri:/x", "uri:https:", "uri:https://", "uri:https://a b/",
    "uri:https://exa_mple.org/", "uri:https://example.org:x/", "uri:http://[::1/", "uri:x:%zz",
    "uri:https://ex\x00ample.org/",
    "upn:", "upn:alice", "upn:@x", "upn:a@\x07", "directory:", "directory:XX=y", "directory:x",
    "registered-id:", "registered-id:3.1", "registered-id:x",
    "other:1.2.3", "other:1.2.3;zz", "other:x;0500", "other:1.2.3;05", "other:1.2.3;050000",
    "other:1.3.6.1.4.1.311.20.2.3;0c0161", "nonsense:x", "www.example.org", "",
]  # fmt: skip


@pytest.mark.parametrize(("text", "canonical"), CANONICAL.items())
def test_canonical_forms_survive(text: str, canonical: str) -> None:
    name = parse(text)
    assert name.text == canonical
    assert normalise(name) == name
    assert decode_san(encode_san([name])) == (name,)


@pytest.mark.parametrize("text", REFUSED)
def test_refuses(text: str) -> None:
    with pytest.raises(BadRequest) as caught:
        parse(text)
    assert caught.value.field
    assert caught.value.rule
    assert caught.value.remedy


def test_says_what_is_wrong_with_a_host_name() -> None:
    with pytest.raises(BadName, match="empty label"):
        parse("dns:a..b")
    with pytest.raises(BadName, match="253"):
        parse("dns:" + ".".join(["abcdefg"] * 32))
    with pytest.raises(BadName, match="control"):
        parse("dns:a\x00.example.org")
    with pytest.raises(BadName, match="kind ip"):
        parse("dns:10.0.0.1")


def test_pyca_encodes_the_same() -> None:
    theirs = x509.SubjectAlternativeName(
        [
            x509.DNSName("www.example.org"),
            x509.RFC822Name("alice@example.org"),
            x509.IPAddress(ipaddress.ip_address("192.0.2.1")),
            x509.IPAddress(ipaddress.ip_address("2001:db8::1")),
            x509.UniformResourceIdentifier("https://example.org/"),
            x509.OtherName(
                x509.ObjectIdentifier("1.3.6.1.4.1.311.20.2.3"), der.tlv(der.UTF8_STRING, b"a@b")
            ),
            x509.DirectoryName(x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "x")])),
            x509.RegisteredID(x509.ObjectIdentifier("1.2.3.4")),
        ]
    )
    ours = map(
        parse,
        ["dns:www.example.org", "email:alice@example.org", "ip:192.0.2.1", "ip:2001:db8::1",
         "uri:https://example.org/", "upn:a@b", "directory:CN=x", "registered-id:1.2.3.4"],
    )  # fmt: skip
    assert encode_san(ours) == theirs.public_bytes()


@pytest.mark.parametrize(
    "value", ["a\x00b", "ü.example", "", "a\nb"], ids=["nul", "u-label", "empty", "newline"]
)
@pytest.mark.parametrize("kind", [NameKind.DNS, NameKind.EMAIL, NameKind.URI, NameKind.IP])
def test_the_encoder_itself_lets_no_control_character_through(kind: NameKind, value: str) -> None:
    with pytest.raises(BadName):
        encode(GeneralName(kind, value))


@pytest.mark.parametrize(
    "data",
    [
        "3003a30100",  # x400Address
        "3003a50100",  # ediPartyName
        "30078205612e622e2e",  # a length that does not fit
        "30068704c0000201ff",
        "30058703c00002",  # three octets of address
        "3006820461002e62",  # NUL
        "30048202c3bc",  # UTF-8 in an IA5String
    ],
)
def test_refuses_other_san_values(data: str) -> None:
    with pytest.raises(BadRequest):
        decode_san(bytes.fromhex(data))


def test_refuses_a_san_without_end() -> None:
    with pytest.raises(BadName):
        decode_san(bytes(general_names.MAX_SAN + 1))


@pytest.mark.parametrize(
    "text",
    [
        "upn:user@example.org", "other:1.2.3.4;0c0161", "registered-id:1.2.3", "ip:2001:db8::1",
        "directory:CN=a+emailAddress=b@c.d,O=Ex\\, ample,street=Road", "uri:https://a.example/",
        "email:a@b.example", "dns:a.example",
    ],
)  # fmt: skip
def test_what_a_certificate_is_said_to_name_is_what_was_asked(text: str) -> None:
    """Two decoders, one text: a request is held against the certificate made of it."""
    key = ec.derive_private_key(1, ec.SECP256R1())
    name, day = x509.Name([]), datetime(2026, 5, 1, tzinfo=UTC)
    san = x509.UnrecognizedExtension(x509.ObjectIdentifier("2.5.29.17"), encode_san([parse(text)]))
    made = (
        x509.CertificateBuilder(name, name, key.public_key(), 1, day, day)
        .add_extension(san, critical=True)
        .sign(key, hashes.SHA256())
    )
    parsed = x509.load_der_x509_certificate(made.public_bytes(Encoding.DER))
    (said,) = describe_certificate(parsed)["extensions"]  # type: ignore[misc]
    assert said["value"] == [text]
