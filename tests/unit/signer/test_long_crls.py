"""Parts of a CRL on their way to the signer: whole, or nothing."""

import pytest

from chancery.domain.algorithms import SignatureAlgorithm
from chancery.domain.errors import BadRequest, CAError, TooLarge
from chancery.signer.long_messages import MAX_CRL, BeginCrl, CrlPart, LongCrl

ECDSA = SignatureAlgorithm.ECDSA_SHA256


def begin(size: int) -> BeginCrl:
    return BeginCrl("k", ECDSA, size)


def echo(key_id: str, algorithm: SignatureAlgorithm, tbs: bytes) -> bytes:
    return b"signed " + tbs


def test_parts_are_signed_once_they_are_whole() -> None:
    crl = LongCrl(echo)
    assert crl.perform(begin(5)) is None
    assert crl.perform(CrlPart(b"ab")) is None
    assert crl.perform(CrlPart(b"cde")) == b"signed abcde"
    with pytest.raises(BadRequest):
        crl.perform(CrlPart(b"f"))


@pytest.mark.parametrize(
    "steps",
    [
        [CrlPart(b"x")],
        [begin(2), CrlPart(b"")],
        [begin(2), CrlPart(b"abc")],
        [begin(0)],
        [begin(-1)],
        [begin(MAX_CRL + 1)],
    ],
)
def test_what_does_not_fit_ends_it(steps: list[BeginCrl | CrlPart]) -> None:
    crl = LongCrl(echo)
    *before, last = steps
    for step in before:
        crl.perform(step)
    with pytest.raises((BadRequest, TooLarge)):
        crl.perform(last)
    with pytest.raises(BadRequest):
        crl.perform(CrlPart(b"ab"))


def test_a_new_beginning_forgets_the_old() -> None:
    crl = LongCrl(echo)
    crl.perform(begin(3))
    crl.perform(CrlPart(b"a"))
    crl.perform(begin(1))
    assert crl.perform(CrlPart(b"z")) == b"signed z"


def test_a_refusal_forgets_it_too() -> None:
    def refuse(*_: object) -> bytes:
        raise CAError("no")

    crl = LongCrl(refuse)
    crl.perform(begin(1))
    with pytest.raises(CAError, match="no"):
        crl.perform(CrlPart(b"z"))
    with pytest.raises(BadRequest):
        crl.perform(CrlPart(b"z"))
