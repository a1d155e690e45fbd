"""Which key usages a kind of key can bear."""

import pytest

from chancery.domain.errors import BadKey
from chancery.domain.key_usage import usages_for
from chancery.domain.profile import KeyUsage as K

EVERY = tuple(K)


@pytest.mark.parametrize(
    ("family", "missing"),
    [
        ("rsa-2048", {K.KEY_AGREEMENT, K.ENCIPHER_ONLY, K.DECIPHER_ONLY}),
        ("ec-p256", {K.KEY_ENCIPHERMENT, K.DATA_ENCIPHERMENT}),
        (
            "ed25519",
            set(EVERY) - {K.DIGITAL_SIGNATURE, K.CONTENT_COMMITMENT, K.KEY_CERT_SIGN, K.CRL_SIGN},
        ),
        (
            "ml-dsa-65",
            set(EVERY) - {K.DIGITAL_SIGNATURE, K.CONTENT_COMMITMENT, K.KEY_CERT_SIGN, K.CRL_SIGN},
        ),
    ],
)
def test_what_is_left(family: str, missing: set[K]) -> None:
    assert usages_for(EVERY, family) == tuple(usage for usage in EVERY if usage not in missing)


def test_nothing_asked_is_nothing_refused() -> None:
    assert usages_for((), "ed25519") == ()


def test_nothing_left_is_refused() -> None:
    with pytest.raises(BadKey):
        usages_for((K.KEY_AGREEMENT,), "rsa-2048")
