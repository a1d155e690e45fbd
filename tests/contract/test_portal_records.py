"""What strangers leave with us, on each engine."""

from dataclasses import replace

import pytest

from chancery.adapters.storage import SqlStore
from chancery.domain.certificate import CertificateRecord, RevocationReason
from chancery.domain.errors import AlreadyExists, Conflict, WrongState
from chancery.domain.portal import (
    KeyPickup,
    RevocationChallenge,
    RevocationRequest,
    RevocationRequestState,
)
from chancery.domain.request import CertificateRequest, RequestState
from chancery.ports import Session
from services import records

NOW = records.NOW


@pytest.fixture
def issued(store: SqlStore) -> tuple[CertificateRequest, CertificateRecord]:
    """A request by code, with a key made here, and its certificate."""
    request = records.request(
        state=RequestState.APPROVED, code_sha256="c" * 64, server_key_id="subject-1", csr=None
    )
    certificate = records.certificate(request)
    intent = records.intent(request)

    def unit(session: Session) -> None:
        session.requests.add([request])
        session.certificates.intend([intent])
        session.certificates.issue([certificate], [intent.id])
        session.requests.issued([(request.id, certificate.id)])

    store.write(unit)
    return request, certificate


def test_a_code_opens_its_requests(store: SqlStore) -> None:
    batch = [records.request(code_sha256="a" * 64) for _ in range(3)]
    others = [records.request(code_sha256="b" * 64), records.request()]
    store.write(lambda s: s.requests.add([*reversed(batch), *others]))
    with store.read() as session:
        ids = [request.id for request in batch]
        assert session.portal.requests_with_code("a" * 64, 100) == ids
        assert session.portal.requests_with_code("a" * 64, 2) == ids[:2]
        assert session.portal.requests_with_code("d" * 64, 100) == []


def test_a_challenge_counts_once(
    store: SqlStore, issued: tuple[CertificateRequest, CertificateRecord]
) -> None:
    _, certificate = issued
    challenge = RevocationChallenge(
        "revoke me", certificate.id, RevocationReason.keyCompromise, NOW + 900
    )
    store.write(lambda s: s.portal.add_challenge(challenge))
    store.write(lambda s: s.portal.add_challenge(replace(challenge, text="b", expires_at=NOW)))
    assert store.write(lambda s: s.portal.take_challenge("revoke me")) == challenge
    assert store.write(lambda s: s.portal.take_challenge("revoke me")) is None
    store.write(lambda s: s.portal.drop_challenges(NOW))
    assert store.write(lambda s: s.portal.take_challenge("b")) is None
    with pytest.raises(Conflict):
        store.write(lambda s: s.portal.add_challenge(replace(challenge, certificate_id="none")))


def test_a_wish_to_revoke_is_answered_once(
    store: SqlStore, issued: tuple[CertificateRequest, CertificateRecord]
) -> None:
    request, certificate = issued
    wish = RevocationRequest(
        id="w-1",
        certificate_id=certificate.id,
        request_id=request.id,
        authority=certificate.authority,
        serial=certificate.serial,
        reason=RevocationReason.superseded,
        note="replaced",
        state=RevocationRequestState.OPEN,
        created_at=NOW,
    )
    store.write(lambda s: s.portal.ask_revocation(wish))
    with pytest.raises(AlreadyExists, match="already") as caught:
        store.write(lambda s: s.portal.ask_revocation(replace(wish, id="w-2")))
    assert caught.value.rule == "revocation-request.once"

    def refuse(session: Session) -> None:
        session.portal.answer_revocation(
            "w-1", RevocationRequestState.REFUSED, by="olga", at=NOW + 1, answer="no"
        )

    store.write(refuse)
    with pytest.raises(WrongState):
        store.write(refuse)
    store.write(lambda s: s.portal.ask_revocation(replace(wish, id="w-2")))
    refused = replace(
        wish,
        state=RevocationRequestState.REFUSED,
        decided_at=NOW + 1,
        decided_by="olga",
        answer="no",
    )
    again = replace(wish, id="w-2")
    with store.read() as session:
        assert session.portal.revocation_request("w-1") == refused
        assert session.portal.revocation_request("none") is None
        assert session.portal.revocation_requests(None, None, 10) == [again, refused]
        assert session.portal.revocation_requests(None, "w-2", 10) == [refused]
        assert session.portal.revocation_requests(RevocationRequestState.OPEN, None, 10) == [again]
        assert session.portal.revocation_requests_of(request.id) == [again, refused]
        assert session.portal.revocation_requests_of("none") == []


def test_a_key_that_left_is_remembered(
    store: SqlStore, issued: tuple[CertificateRequest, CertificateRecord]
) -> None:
    request, _ = issued
    with store.read() as session:
        assert session.portal.pickup(request.id) is None
    store.write(lambda s: s.portal.picked_up(request.id, NOW))
    store.write(lambda s: s.portal.picked_up(request.id, NOW + 5))
    with store.read() as session:
        assert session.portal.pickup(request.id) == KeyPickup(request.id, NOW, 2)
        assert session.portal.keys_to_destroy(NOW - 1, 10) == []
        assert session.portal.keys_to_destroy(NOW, 10) == [(request.id, "subject-1")]
    store.write(lambda s: s.portal.key_destroyed(request.id))
    with store.read() as session:
        assert session.portal.keys_to_destroy(NOW, 10) == []
        found = session.portal.pickup(request.id)
        assert found is not None
        assert found.destroyed
