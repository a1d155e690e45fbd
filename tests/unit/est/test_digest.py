"""HTTP Digest: the RFC's own example, nonces, and Authorization fields that lie."""

import hashlib
import hmac
from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chancery.domain.errors import BadRequest
from chancery.protocols.est import digest

RFC_7616 = (
    'username="Mufasa", realm="http-auth@example.org", uri="/dir/index.html", algorithm={}, '
    'nonce="7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v", nc=00000001, '
    'cnonce="f2/wE4q74E6zIJEtWaHKaf5wv/H5QzzpXusqGemxURZJ", qop=auth, response="{}", '
    'opaque="FQhe/qaU925kfnzjCev0ciny7QMkPqMAFRtzCUYo5tdS"'
)
EXAMPLES = {  # RFC 7616 §3.9.1
    "MD5": "8ca523f5e9506fed4657c9700eebdbec",
    "SHA-256": "753927fa0e85d155564e2e272a28d1802ca10daf4496794697cf8db5856cb6c1",
}


@pytest.mark.parametrize(("algorithm", "response"), EXAMPLES.items())
def test_the_example_of_the_rfc(algorithm: str, response: str) -> None:
    presented = digest.read(RFC_7616.format(algorithm, response))
    assert digest.proves(presented, b"Circle of Life", "GET")
    assert not digest.proves(presented, b"Circle of life", "GET")
    assert not digest.proves(presented, b"Circle of Life", "POST")


@pytest.mark.parametrize(
    "text",
    [
        "",
        "username=",
        'username="a", username="b"',
        RFC_7616.format("MD5-sess", "0"),
        RFC_7616.format("SHA-256", "0").replace("qop=auth", "qop=auth-int"),
        RFC_7616.format("SHA-256", "0").replace("nc=00000001, ", ""),
        RFC_7616.format("SHA-256", "0") + ", Basic QUJD",
        "a" * 5000,
    ],
)
def test_a_field_that_cannot_be_read(text: str) -> None:
    with pytest.raises(BadRequest) as caught:
        digest.read(text)
    assert caught.value.rule == "est.authorization"


@pytest.fixture
def nonces() -> digest.Nonces:
    return digest.Nonces(keyed(b"k"))


def keyed(key: bytes) -> Callable[[bytes], bytes]:
    return lambda data: hmac.digest(key, data, hashlib.sha256)


def test_a_nonce_serves_for_five_minutes(nonces: digest.Nonces) -> None:
    nonce = nonces.make(1_000_000)
    assert nonces.fresh(nonce, 1_000_000)
    assert nonces.fresh(nonce, 1_000_300)
    assert not nonces.fresh(nonce, 1_000_301)
    assert not nonces.fresh(nonce, 999_990)


@pytest.mark.parametrize("forged", ["", "é", "AAAA", "A" * 32, "=" * 4])
def test_a_nonce_of_others_is_none(nonces: digest.Nonces, forged: str) -> None:
    assert not nonces.fresh(forged, 0)
    assert not nonces.fresh(digest.Nonces(keyed(b"other")).make(0), 0)


def test_a_challenge_says_what_is_wanted(nonces: digest.Nonces) -> None:
    text = digest.challenge("EST main", "n", "SHA-256", stale=True)
    assert text.startswith('Digest realm="EST main", qop="auth", algorithm=SHA-256, nonce="n"')
    assert text.endswith("stale=true")


@given(st.text(max_size=120))
@settings(max_examples=60)
def test_no_text_raises_anything_unplanned(text: str) -> None:
    digest.Nonces(keyed(b"k")).fresh(text, 0)
    try:
        digest.read(text)
    except BadRequest:
        return
