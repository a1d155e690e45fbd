"""JSON Web Signatures as ACME takes them: vectors, and everything that must not pass."""

import contextlib
import json
from typing import Any

import acme_client
import pytest
from acme_client import b64
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from hypothesis import given, settings
from hypothesis import strategies as st

from chancery.domain.errors import BadKey, BadRequest, CAError
from chancery.protocols.acme import jws
from chancery.wire import jwk

# RFC 7515 Appendix A.3, and RFC 8037 Appendix A.
ES256 = {
    "kty": "EC",
    "crv": "P-256",
    "x": "f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU",
    "y": "x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0",
}
ES256_SIGNED = (
    b"eyJhbGciOiJFUzI1NiJ9.eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNv"
    b"bS9pc19yb290Ijp0cnVlfQ"
)
ES256_SIGNATURE = (
    "DtEhU3ljbEg8L38VWAfUAqOyKAM6-Xx-F4GawxaepmXFCgfTjDxw5djxLa8ISlSApmWQxfKTUJqPP3-Kg6NU1Q"
)
ED25519 = {"kty": "OKP", "crv": "Ed25519", "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}
ED25519_SIGNED = b"eyJhbGciOiJFZERTQSJ9.RXhhbXBsZSBvZiBFZDI1NTE5IHNpZ25pbmc"
ED25519_SIGNATURE = (
    "hgyY0il_MGCjP0JzlnLWG1PPOt7-09PGcvMg3AIbQR6dWbhijcNR4ki4iylGjg5BhVsPt9g7sVvpAr_MuM0KAg"
)


def parts(algorithm: str, signed: bytes, signature: str) -> jws.Jws:
    raw = jwk.from_b64url(signature, most=1000) or b""
    return jws.Jws(algorithm, "", "", None, "kid", b"", signed, raw)


@pytest.mark.parametrize(
    ("members", "algorithm", "signed", "signature"),
    [
        (ES256, "ES256", ES256_SIGNED, ES256_SIGNATURE),
        (ED25519, "EdDSA", ED25519_SIGNED, ED25519_SIGNATURE),
    ],
)
def test_the_vectors_verify_and_nothing_near_them(
    members: dict[str, object], algorithm: str, signed: bytes, signature: str
) -> None:
    key = jwk.decode(members)
    jws.verify(parts(algorithm, signed, signature), key)
    for wrong in (
        parts(algorithm, signed + b"x", signature),
        parts(algorithm, signed, signature[:-4]),
        parts("RS256", signed, signature),
        parts("EdDSA" if algorithm == "ES256" else "ES256", signed, signature),
    ):
        with pytest.raises(BadRequest) as caught:
            jws.verify(wrong, key)
        assert caught.value.rule == "acme.signature"


def test_thumbprints_are_those_of_the_specifications() -> None:
    modulus = (
        "0vx7agoebGcQSuuPiLJXZptN9nndrQmbXEps2aiAFbWhM78LhWx4cbbfAAtVT86zwu1RK7aPFFxuhDR1L6tSoc_BJECP"
        "ebWKRXjBZCiFV4n3oknjhMstn64tZ_2W-5JsGY4Hc5n9yBXArwl93lqt7_RN5w6Cf0h4QyQ5v-65YGjQR0_FDW2QvzqY"
        "368QQMicAtaSqzs8KJZgnYb9c7d0zgdAZHzu6qMQvRL5hajrn1n91CbOpbISD08qNLyrdkt-bFTWhAI4vMQFh6WeZu0f"
        "M4lFd2NcRwr3XPksINHaQ-G_xBniIqbw0Ls1jF44-csFCur-kEgU8awapJzKnqDKgw"
    )
    rsa_key = {"kty": "RSA", "n": modulus, "e": "AQAB", "alg": "RS256", "kid": "2011-04-29"}
    # RFC 7638 §3.1, RFC 8037 Appendix A.3
    assert jwk.decode(rsa_key).thumbprint == "NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs"
    assert jwk.decode(ED25519).thumbprint == "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k"
    assert jwk.recall(jwk.decode(ES256).canonical) == jwk.decode(ES256)


@pytest.mark.parametrize(
    "key",
    [
        ec.generate_private_key(ec.SECP256R1()),
        ec.generate_private_key(ec.SECP384R1()),
        ec.generate_private_key(ec.SECP521R1()),
        ed25519.Ed25519PrivateKey.generate(),
        rsa.generate_private_key(65537, 2048),
    ],
    ids=["ES256", "ES384", "ES512", "EdDSA", "RS256"],
)
def test_every_algorithm_that_clients_use(key: acme_client.Key) -> None:
    members = acme_client.jwk_of(key)
    body = acme_client.jws(key, {"jwk": members, "nonce": "n", "url": "u"}, {"a": 1})
    parsed = jws.parse(json.dumps(body).encode())
    assert (parsed.nonce, parsed.url, json.loads(parsed.payload)) == ("n", "u", {"a": 1})
    known = jwk.decode(members)
    jws.verify(parsed, known)
    assert known.thumbprint == acme_client.thumbprint(key)


@pytest.mark.parametrize(
    "algorithm", ["none", "None", "", "HS256", "RS512", "PS256", "RS1", "ES256K"]
)
def test_an_algorithm_is_never_what_the_header_would_like(algorithm: str) -> None:
    key = acme_client.new_key()
    header = {"jwk": acme_client.jwk_of(key), "url": "u", "nonce": "n", "alg": algorithm}
    parsed = jws.parse(json.dumps(acme_client.jws(key, header, {})).encode())
    with pytest.raises(BadRequest) as caught:
        jws.verify(parsed, jwk.decode(parsed.jwk or {}))
    assert caught.value.rule == "acme.algorithm"


def test_a_public_key_is_never_the_secret_of_a_mac() -> None:
    members = acme_client.jwk_of(rsa.generate_private_key(65537, 2048))
    body = acme_client.mac(b64(json.dumps(members).encode()), {"alg": "HS256", "jwk": members}, {})
    with pytest.raises(BadRequest) as caught:
        jws.verify(jws.read(body), jwk.decode(members))
    assert caught.value.rule == "acme.algorithm"


def header(**members: Any) -> bytes:
    head = b64(json.dumps(members).encode())
    return json.dumps({"protected": head, "payload": "", "signature": "AA"}).encode()


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"\xff",
        b"[]",
        b"{}",
        b'{"protected":"","payload":"","signature":"","header":{}}',
        b'{"protected":"e30","payload":"","signatures":[]}',
        b'{"protected":"e30","protected":"e30","payload":"","signature":"AA"}',
        b'{"protected":"e30=","payload":"","signature":"AA"}',
        b'{"protected":"e3 0","payload":"","signature":"AA"}',
        b'{"protected":"e31","payload":"","signature":"AA"}',  # bits beyond the last octet
        b'{"protected":1,"payload":"","signature":"AA"}',
        b"[" * 100_000,
        b'{"a":' * 50_000,
        b"1" * 10_000,
        b"NaN",
        b"x" * (jws.MAX_OCTETS + 1),
        header(alg="ES256"),
        header(alg="ES256", kid="k", jwk={}),
        header(alg="ES256", jwk="k"),
        header(alg="ES256", kid=1),
        header(alg=1, kid="k"),
        header(alg="ES256", kid="k", crit=["b64"], b64=False),
        header(alg="ES256", kid="k", x5c=[]),
        header(alg="ES256", kid="k", url=["u"]),
        header(alg="ES256", kid="k" * 2000),
    ],
)
def test_what_is_no_signature_of_ours(body: bytes) -> None:
    with pytest.raises(BadRequest):
        jws.parse(body)


@pytest.mark.parametrize(
    "members",
    [
        {},
        {"kty": "oct", "k": "AAAA"},
        ES256 | {"d": "AAAA"},
        ES256 | {"y": ES256["x"]},
        ES256 | {"crv": "P-384"},
        ES256 | {"crv": "secp256k1"},
        ES256 | {"x": ES256["x"] + "AA"},
        ED25519 | {"crv": "X25519"},
        ED25519 | {"x": "AAAA"},
        ED25519 | {"x": b64(bytes(32))},  # a point of small order
        {"kty": "RSA", "n": b64(b"\xff" * 64), "e": "AQAB"},
        {"kty": "RSA", "n": b64(b"\xff" * 1025), "e": "AQAB"},
        {"kty": "RSA", "n": b64(b"\0" + b"\xff" * 256), "e": "AQAB"},
        {"kty": "RSA", "n": b64(b"\xff" * 256), "e": "AQ"},
        {"kty": ["EC"]},
    ],
)
def test_what_is_no_key_to_trust(members: dict[str, object]) -> None:
    with pytest.raises(BadKey):
        jwk.decode(members)


def test_a_mac_counts_for_its_own_text_alone() -> None:
    secret = b64(b"s" * 32)
    for algorithm in jws.MACS:
        whole = acme_client.mac(secret, {"alg": algorithm, "kid": "k"}, {"a": 1})
        assert jws.verify_mac(jws.read(whole), b"s" * 32)
        assert not jws.verify_mac(jws.read(whole), b"t" * 32)
        assert not jws.verify_mac(jws.read(whole | {"payload": "e30"}), b"s" * 32)


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=300) | st.text(max_size=200).map(str.encode))
def test_nothing_ends_in_an_unplanned_way(data: bytes) -> None:
    for body in (
        data,
        json.dumps({"protected": b64(data), "payload": "", "signature": ""}).encode(),
    ):
        try:
            jws.parse(body)
        except CAError:
            continue


JSONS = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=20),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3)
    ),
    max_leaves=8,
)


@settings(max_examples=150, deadline=None)
@given(
    st.fixed_dictionaries(
        {},
        optional={
            name: JSONS | st.sampled_from(["EC", "RSA", "OKP", "P-256", "Ed25519", "AQAB", "AAAA"])
            for name in ("kty", "crv", "x", "y", "n", "e", "d")
        },
    )
)
def test_no_jwk_ends_in_an_unplanned_way(members: dict[str, object]) -> None:
    with contextlib.suppress(BadKey):
        jwk.decode(members)
