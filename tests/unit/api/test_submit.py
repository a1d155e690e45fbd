"""The hot way in: one submission, and what becomes of it."""

import asyncio
import contextlib
import hashlib
import json
from concurrent.futures import Future
from dataclasses import dataclass, field, replace
from typing import Any

import pytest
from asking import Answer
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from chancery.api.intake import QuickIntake
from chancery.api.problems import Invalid
from chancery.api.submission import SubmitBody, decode, decode_edit
from chancery.domain.certificate import CertificateRecord
from chancery.domain.errors import BadKey, BadRequest, CAError, Unavailable
from chancery.domain.identity import AuthMethod, Principal
from chancery.domain.names import GeneralName, NameKind
from chancery.domain.request import (
    CertificateRequest,
    RequestKind,
    RequestState,
    Submission,
    ToBeSigned,
)
from chancery.domain.validity import LeafAfterIssuer, ValidityRule
from chancery.services.rehearsal import Submitted

PATH = "/api/v1/requests"
BODY = {"profile": "tls-server", "csr": "MAA=", "names": ["dns:WWW.example.org"]}


def request(number: int = 1, state: RequestState = RequestState.ISSUED) -> CertificateRequest:
    rule = ValidityRule(86_400, 60, 2**31, LeafAfterIssuer.TRUNCATE)
    return CertificateRequest(
        id=f"0190-{number}", state=state, kind=RequestKind.NEW, ra="default", authority="issuing",
        profile="tls-server", profile_sha256="00", requester="requester", subject="CN=x", names=(),
        key_sha256="11", key_algorithm="ec-p256", serial="5a", tbs=ToBeSigned(b"", b"", rule),
        content_sha256="22", csr=b"", server_key_id=None, approvals_needed=0, submission="{}",
        created_at=1, expires_at=2,
    )  # fmt: skip


def certificate() -> CertificateRecord:
    return CertificateRecord(
        id="c", authority="issuing", serial="5a", subject="CN=x", names=(), not_before=1,
        not_after=2, key_sha256="11", sha256="33", profile="tls-server", profile_sha256="00",
        request_id="0190-1", requester="requester", der=b"\x30\x00", issued_at=1,
    )  # fmt: skip


@dataclass
class Desk:
    """Takes submissions; *answer* makes the outcome of each."""

    seen: list[tuple[Principal, Submission]] = field(default_factory=list)
    failing: CAError | Exception | None = None
    delay_s: float = 0.0

    def enqueue(
        self, principal: Principal, submission: Submission, *, stamp: str | None = None
    ) -> "Future[Submitted]":
        self.seen.append((principal, submission))
        answer: Future[Submitted] = Future()
        if self.failing is not None:
            answer.set_exception(self.failing)
            return answer
        code = "ABCD-EFGH" if principal.method is AuthMethod.NONE else None
        done = Submitted(request(len(self.seen)), code, certificate())
        if self.delay_s:
            asyncio.get_running_loop().call_later(self.delay_s, answer.set_result, done)
        else:
            answer.set_result(done)
        return answer


@pytest.fixture
def desk() -> Desk:
    return Desk()


@pytest.fixture
def behind(desk: Desk) -> dict[str, Any]:
    return {"registration": desk}


def test_a_submission_becomes_a_certificate(house: Any, desk: Desk) -> None:
    answer = house.by("requester").post(PATH, BODY)
    assert answer.status == 201, answer.body
    assert answer.headers["location"] == "/api/v1/requests/0190-1"
    assert answer.json == {
        "id": "0190-1", "state": "issued", "serial": "5a", "content_sha256": "22",
        "certificate": "-----BEGIN CERTIFICATE-----\nMAA=\n-----END CERTIFICATE-----\n",
    }  # fmt: skip
    ((principal, submission),) = desk.seen
    assert (principal.name, principal.origin) == ("requester", "192.0.2.7")
    assert submission == Submission(
        "tls-server", csr=b"0\x00", names=(GeneralName(NameKind.DNS, "www.example.org"),)
    )


def test_a_stranger_gets_a_code(house: Any) -> None:
    assert house.anonymous.post(PATH, BODY).json["code"] == "ABCD-EFGH"


def test_a_body_in_pieces(house: Any) -> None:
    assert house.by("requester").post(PATH, BODY, pieces=7).status == 201


@pytest.mark.parametrize(
    ("body", "status", "field", "rule"),
    [
        (b"", 400, "body", "json"),
        (b"{", 400, "body", "json"),
        (b"\xff\xfe", 400, "body", "json"),
        (b'{"profile": "\xff"}', 400, "body", "json"),
        (b"[" * 100_000, 422, "body", "type"),
        (b"[]", 422, "body", "type"),
        ({"profile": "x", "note": "a\0b"}, 422, "body", "text.nul"),
        (b'{"profile": "x", "note": "\\ud800"}', 400, "body", "json"),
        ({}, 422, "profile", "required"),
        ({"profile": 5}, 422, "profile", "type"),
        ({"profile": ""}, 422, "profile", "length"),
        ({"profile": "x", "days": 0}, 422, "days", "range"),
        ({"profile": "x", "days": True}, 422, "days", "type"),
        ({"profile": "x", "prifile": 1}, 422, "prifile", "unknown"),
        ({"profile": "x", "names": ["dns:a", 3]}, 422, "names[1]", "type"),
        ({"profile": "x", "subject": {"CN": 3}}, 422, "subject[...]", "type"),
        ({"profile": "x", "names": ["www.example.org"]}, 400, None, "name.kind"),
        ({"profile": "x", "csr": "!"}, 400, "csr", "csr.encoding"),
        ({"profile": "x", "extensions": {"1.2": "zz"}}, 400, "extensions", "extension.encoding"),
    ],
)
def test_bad_bodies_name_field_and_rule(
    house: Any, desk: Desk, body: Any, status: int, field: str | None, rule: str
) -> None:
    answer = house.by("requester").post(PATH, body)
    assert answer.status == status, answer.body
    assert answer.is_problem
    assert answer.json["rule"] == rule
    assert field is None or answer.json["field"] == field
    assert not desk.seen


@pytest.mark.parametrize(
    ("failing", "status"),
    [
        (BadKey("too small", rule="rsa.min-size"), 400),
        (Unavailable("the signer is away"), 503),
        (KeyError("sqlite:///secret.db"), 500),
    ],
)
def test_failures_have_the_same_shape(
    house: Any, desk: Desk, failing: Exception, status: int
) -> None:
    desk.failing = failing
    answer = house.by("requester").post(PATH, BODY)
    assert answer.status == status
    assert answer.is_problem
    assert b"secret" not in answer.body
    assert answer.headers["x-content-type-options"] == "nosniff"


KEY = {"idempotency-key": "3f0c-1"}


def test_a_repetition_gets_the_first_answer(house: Any, desk: Desk) -> None:
    who = house.by("requester")
    first = who.post(PATH, BODY, headers=KEY)
    again = who.post(PATH, BODY, headers=KEY)
    assert (again.status, again.body, again.headers["location"]) == (
        first.status, first.body, first.headers["location"],
    )  # fmt: skip
    assert len(desk.seen) == 1


def test_another_body_under_the_same_key_is_a_conflict(house: Any, desk: Desk) -> None:
    who = house.by("requester")
    who.post(PATH, BODY, headers=KEY)
    answer = who.post(PATH, BODY | {"note": "other"}, headers=KEY)
    assert (answer.status, answer.json["rule"]) == (409, "idempotency.reuse")
    assert len(desk.seen) == 1


def test_keys_of_two_people_are_two_keys(house: Any, desk: Desk) -> None:
    house.by("requester").post(PATH, BODY, headers=KEY)
    house.by("ra-officer").post(PATH, BODY, headers=KEY)
    assert len(desk.seen) == 2


def test_a_refusal_is_not_remembered(house: Any, desk: Desk) -> None:
    who = house.by("requester")
    desk.failing = Unavailable("the signer is away")
    assert who.post(PATH, BODY, headers=KEY).status == 503
    desk.failing = None
    assert who.post(PATH, BODY, headers=KEY).status == 201


@pytest.mark.parametrize("key", ["", "a b", "x" * 129, "\xe9"])
def test_keys_have_a_syntax(house: Any, key: str) -> None:
    answer = house.by("requester").post(PATH, BODY, headers={"idempotency-key": key})
    assert (answer.status, answer.json["rule"]) == (400, "idempotency.syntax")


def test_strangers_share_no_keys(house: Any) -> None:
    answer = house.anonymous.post(PATH, BODY, headers=KEY)
    assert (answer.status, answer.json["rule"]) == (400, "idempotency.account")


def test_a_thousand_at_once_have_one_effect(house: Any, desk: Desk) -> None:
    """T9: one hundred here, a thousand at night."""
    desk.delay_s = 0.02
    who = house.by("requester")

    async def storm() -> list[Answer]:
        asks = (who.ask("POST", PATH, BODY, headers=KEY) for _ in range(100))
        return list(await asyncio.gather(*asks))

    answers = asyncio.run(storm())
    assert {answer.body for answer in answers} == {answers[0].body}
    assert {answer.status for answer in answers} == {201}
    assert len(desk.seen) == 1


def test_an_edit_changes_what_it_names_and_nothing_else() -> None:
    before = Submission("tls-server", csr=b"old", days=30, note="please")
    assert decode_edit(b'{"days": null, "names": []}', before) == replace(before, days=None)
    assert decode_edit(b'{"csr": "MAA="}', before) == replace(before, csr=b"0\x00")
    assert decode_edit(b'{"server_key": "ec-p256"}', before) == replace(
        before, csr=None, server_key="ec-p256"
    )
    with pytest.raises(BadRequest):
        decode_edit(b"{}", before)


@given(st.binary())
def test_no_bytes_break_the_decoder(data: bytes) -> None:
    for read in (decode, lambda body: decode_edit(body, Submission("x"))):
        with contextlib.suppress(CAError, Invalid):
            read(data)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=8,
)
FIELDS = st.sampled_from(SubmitBody.__struct_fields__) | st.text(max_size=5)


@settings(suppress_health_check=[HealthCheck.too_slow])
@given(st.dictionaries(FIELDS, JSON, max_size=6))
def test_no_object_breaks_the_decoder(body: dict[str, Any]) -> None:
    data = json.dumps(body | {"profile": "x"}).encode()
    for read in (decode, lambda body: decode_edit(body, Submission("x"))):
        with contextlib.suppress(CAError, Invalid):
            read(data)


# The quick way in: what it takes, what it leaves to the other road.

ORIGIN = "192.0.2.1"


class Doorway:
    """A quick intake on an event loop, and what it told."""

    def __init__(self, house: Any, desk: Desk) -> None:
        self.counted: list[tuple[Any, ...]] = []
        self.shut = False
        self.house = house
        self.intake = QuickIntake(
            house.identity,
            desk,  # type: ignore[arg-type]
            lambda *one: self.counted.append(one[:3]),
            lambda: self.shut,
        )
        self.told: list[tuple[bytes, bytes]] = []

    def take(self, who: str, body: bytes) -> bool:
        token = self.house.tokens[who]
        self.house.identity.authenticate_token(token, ORIGIN)  # seen just now

        async def ask() -> bool:
            self.intake.open(asyncio.get_running_loop())
            digest = hashlib.sha256(token.encode()).digest()
            taken = self.intake.take(digest, ORIGIN, body, lambda *one: self.told.append(one))
            for _ in range(200):
                if self.told or not taken:
                    break
                await asyncio.sleep(0.005)
            return taken

        return asyncio.run(ask())


@pytest.fixture
def doorway(house: Any, desk: Desk) -> Doorway:
    return Doorway(house, desk)


def test_a_submission_is_taken_and_answered(doorway: Doorway, desk: Desk) -> None:
    assert doorway.take("requester", json.dumps(BODY).encode())
    ((octets, status),) = doorway.told
    head, _, body = octets.partition(b"\r\n\r\n")
    assert status == b"201 Created"
    assert b"location: /api/v1/requests/0190-1" in head
    assert b"strict-transport-security: " in head
    assert b"content-length: %d" % len(body) in head
    assert json.loads(body)["id"] == "0190-1"
    assert doorway.counted == [("POST", "/api/v1/requests", 201)]
    ((principal, _),) = desk.seen
    assert (principal.name, principal.origin) == ("requester", ORIGIN)


def test_what_fails_after_it_was_taken_is_answered_here(doorway: Doorway, desk: Desk) -> None:
    desk.failing = BadKey("too small", field="csr", rule="key.size")
    assert doorway.take("requester", json.dumps(BODY).encode())
    ((octets, status),) = doorway.told
    head, _, body = octets.partition(b"\r\n\r\n")
    assert status == b"400 Bad Request"
    assert b"content-type: application/problem+json" in head
    assert json.loads(body)["rule"] == "key.size"


@pytest.mark.parametrize("body", [b"", b"{", b'{"profile": 1}', b'{"profile": "a\\u0000"}'])
def test_what_cannot_be_read_is_left_to_the_other_road(doorway: Doorway, body: bytes) -> None:
    assert not doorway.take("requester", body)
    assert doorway.told == doorway.counted == []


def test_who_may_not_and_closed_doors_are_left_to_the_other_road(
    doorway: Doorway, desk: Desk
) -> None:
    body = json.dumps(BODY).encode()
    assert not doorway.take("auditor", body)
    assert not doorway.take("narrow-requester", body)
    assert not doorway.intake.take(b"\0" * 32, ORIGIN, body, lambda *_: None)
    doorway.shut = True
    assert not doorway.take("requester", body)
    assert desk.seen == []


def test_one_wake_up_tells_all_that_are_done(doorway: Doorway) -> None:
    done: list[bytes] = []

    async def ask() -> None:
        doorway.intake.open(asyncio.get_running_loop())
        for number in range(3):
            outcome: Future[Submitted] = Future()
            outcome.set_result(Submitted(request(number), None, certificate()))
            doorway.intake._hand(lambda octets, _: done.append(octets), 0.0, outcome)
        assert not done
        await asyncio.sleep(0)
        await asyncio.sleep(0)

    asyncio.run(ask())
    assert len(done) == 3
