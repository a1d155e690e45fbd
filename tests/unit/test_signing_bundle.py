"""Signing bundles: whose request it is, what an answer holds, and both as QR images."""

import hashlib
import json
from dataclasses import dataclass
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given
from hypothesis import strategies as st

from chancery.adapters import qr
from chancery.domain import merkle
from chancery.domain.audit import AuditEvent, leaf_bytes, leaf_hash
from chancery.domain.errors import BadRequest, CAError, Conflict
from chancery.wire import signing_bundle
from chancery.wire.note import Checkpoint, VerifierKey, sign_note
from chancery.wire.signing_bundle import Answer, Request, Signed, Wish

SERVER = Ed25519PrivateKey.generate()
VKEY = VerifierKey("ca.example/log", SERVER.public_key().public_bytes_raw())
REQUEST = Request(
    signing_bundle.REQUEST,
    "01b",
    "ca.example/log",
    1_700_000_000,
    "operator",
    (
        Wish("1", "certificate", "issuing", "CN=Issuing", csr="AAAA"),
        Wish("2", "crl", "root", "CN=Root", issuer="ab", above=3, revoke=(("1a", "superseded"),)),
    ),
)
TEXT = signing_bundle.write(REQUEST)


@dataclass
class Log:
    """A log of three leaves; the second one vouches for *digest*."""

    digest: str
    action: str = signing_bundle.EXPORTED
    subject: str = "01b"
    key: Ed25519PrivateKey = SERVER

    def proof(self) -> dict[str, Any]:
        event = AuditEvent(
            self.action, "operator", "token", "", self.subject, details={"sha256": self.digest}
        )
        leaves = [b"first", leaf_bytes(1, 5, event), b"third"]
        hashes = [leaf_hash(leaf) for leaf in leaves]
        text = Checkpoint(VKEY.name, 3, merkle.root(hashes)).text()
        note = sign_note(text, VKEY, self.key.sign(text.encode()))
        return {
            "seq": 1,
            "leaf": leaves[1].decode(),
            "proof": [node.hex() for node in merkle.inclusion_proof(hashes, 1)],
            "checkpoint": note.decode(),
        }


def sealed(text: str = TEXT, **about: Any) -> bytes:
    log = Log(**({"digest": signing_bundle.sha256(TEXT)} | about))
    return signing_bundle.seal_request(text, log.proof())


def test_a_request_proves_who_asks() -> None:
    assert signing_bundle.open_request(sealed(), VKEY) == (REQUEST, TEXT)


@pytest.mark.parametrize(
    "data",
    [
        sealed(TEXT.replace("CN=Issuing", "CN=Evil CA")),
        sealed(action="request.submitted"),
        sealed(subject="01c"),
        sealed(digest="00" * 32),
        sealed(key=Ed25519PrivateKey.generate()),
        json.dumps({"request": TEXT, "proof": {}}).encode(),
        json.dumps({"request": TEXT, "proof": Log("x").proof() | {"seq": 2}}).encode(),
    ],
    ids=["edited", "action", "other-id", "other-hash", "other-key", "no-proof", "moved"],
)
def test_a_request_of_nobody_is_refused(data: bytes) -> None:
    with pytest.raises(BadRequest) as caught:
        signing_bundle.open_request(data, VKEY)
    assert caught.value.rule == "bundle.proof"


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{}",
        TEXT.replace(signing_bundle.REQUEST, "chancery-signing-request-9"),
        TEXT.replace('"crl"', '"leaf"'),
        TEXT.replace('"id": "2"', '"id": "1"'),
        TEXT.replace('"origin"', '"colour"'),
    ],
)
def test_a_malformed_request_is_refused(text: str) -> None:
    with pytest.raises(BadRequest):
        signing_bundle.open_request(signing_bundle.seal_request(text, {}), None)


def test_an_answer_is_signed_by_the_store() -> None:
    answer = Answer(
        signing_bundle.ANSWER, "01b", "ab", "first", (Signed("1", "certificate", ("AAAA",)),)
    )
    text = signing_bundle.write(answer)
    note = signing_bundle.sign_answer(text, VKEY, SERVER.sign(text.encode()))
    assert signing_bundle.open_answer(note, VKEY) == answer
    assert signing_bundle.open_answer(note) == answer
    with pytest.raises(BadRequest):
        signing_bundle.open_answer(note.replace(b"first", b"other"), VKEY)


@given(st.binary(max_size=300))
def test_never_fails_in_an_unplanned_way(data: bytes) -> None:
    for read in (
        lambda: signing_bundle.open_request(data, VKEY),
        lambda: signing_bundle.open_answer(data),
        lambda: qr.join(data.decode(errors="replace").splitlines()),
    ):
        with pytest.raises(CAError):
            read()


BIG = b"".join(hashlib.sha256(bytes([n])).digest() for n in range(90))


def test_a_bundle_goes_through_images_in_any_order() -> None:
    texts = qr.parts(BIG)
    assert len(texts) > 2
    assert qr.join([*reversed(texts), texts[0]]) == BIG
    assert qr.image(texts[-1]).startswith(b"\x89PNG")


def test_images_that_are_missing_mixed_or_misread_are_named() -> None:
    texts = qr.parts(BIG)
    with pytest.raises(Conflict, match=r"parts 2 of \d+ are missing"):
        qr.join([text for text in texts if not text.startswith("CHB1/2/")])
    with pytest.raises(Conflict, match="several bundles"):
        qr.join([*texts, *qr.parts(BIG + b"x")])
    with pytest.raises(BadRequest, match="text 1 is no part"):
        qr.join(["https://example.org"])
    spoilt = texts[0][:-1] + ("A" if texts[0][-1] != "A" else "B")
    with pytest.raises(BadRequest) as caught:
        qr.join([spoilt, *texts[1:]])
    assert caught.value.rule == "qr.hash"


@given(st.binary(min_size=1, max_size=400))
def test_every_bundle_comes_back(data: bytes) -> None:
    assert qr.join(qr.parts(data)) == data
