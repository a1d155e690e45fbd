"""Thousands in one request: in order, each for itself."""

import json
from collections.abc import Iterable, Iterator
from typing import Any

import pytest

from chancery.api.guard import MAX_BODY
from chancery.domain.errors import BadKey, CAError, NotPermitted
from chancery.domain.identity import Principal
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

PATH = "/api/v1/requests/bulk"
NDJSON = {"content-type": "application/x-ndjson"}


def request(number: int) -> CertificateRequest:
    rule = ValidityRule(86_400, 60, 2**31, LeafAfterIssuer.TRUNCATE)
    return CertificateRequest(
        id=f"id-{number}", state=RequestState.PENDING, kind=RequestKind.NEW, ra="default",
        authority="issuing", profile="tls-server", profile_sha256="00", requester="requester",
        subject="CN=x", names=(GeneralName(NameKind.DNS, "x"),), key_sha256="11",
        key_algorithm="ec-p256", serial="5a", tbs=ToBeSigned(b"", b"", rule), content_sha256="22",
        csr=b"", server_key_id=None, approvals_needed=1, submission="{}", created_at=1, expires_at=2,
    )  # fmt: skip


class Desk:
    """Refuses every profile named ``bad``."""

    def __init__(self) -> None:
        self.refusing: CAError | None = None

    def enqueue(self, *_: object) -> None:
        raise AssertionError("this is the way of single submissions")

    def submit_many(
        self, _: Principal, submissions: Iterable[Submission | CAError]
    ) -> Iterator[Submitted | CAError]:
        if self.refusing is not None:
            raise self.refusing
        for number, submission in enumerate(submissions):
            if isinstance(submission, CAError):
                yield submission
            elif submission.profile == "bad":
                yield BadKey("too small", field="csr", rule="rsa.min-size")
            else:
                yield Submitted(request(number), None, None)


@pytest.fixture
def behind() -> dict[str, Any]:
    return {"registration": Desk()}


def lines(answer: Any) -> list[dict[str, Any]]:
    assert answer.status == 200, answer.body
    assert answer.headers["content-type"] == "application/x-ndjson"
    return [json.loads(line) for line in answer.body.splitlines()]


GOOD = {"profile": "tls-server", "csr": "MAA="}


def test_answers_come_in_order_and_failures_stay_alone(house: Any) -> None:
    body = b"\n".join(
        [
            json.dumps(GOOD).encode(),
            b"{broken",
            b"",
            json.dumps(GOOD | {"profile": "bad"}).encode(),
            json.dumps(GOOD | {"csr": "!"}).encode(),
            json.dumps(GOOD).encode() + b"\r",
        ]
    )
    answers = lines(house.by("requester").post(PATH, body, headers=NDJSON))
    assert [answer["index"] for answer in answers] == [0, 1, 2, 3, 4]
    assert answers[0] == {
        "index": 0, "id": "id-0", "state": "pending", "serial": "5a", "content_sha256": "22",
    }  # fmt: skip
    assert answers[1]["error"]["rule"] == "json"
    assert answers[2]["error"] == {
        "type": "urn:chancery:problem:bad-key", "title": "The key is not acceptable",
        "status": 400, "detail": "too small", "field": "csr", "rule": "rsa.min-size",
    }  # fmt: skip
    assert answers[3]["error"]["field"] == "csr"
    assert answers[4]["id"] == "id-4"


def test_an_array_does_as_well(house: Any) -> None:
    body = json.dumps([GOOD, {"profile": "bad"}, 5]).encode()
    answers = lines(house.by("requester").post(PATH, body))
    assert ["error" in answer for answer in answers] == [False, True, True]


def test_a_batch_may_be_larger_than_other_bodies(house: Any) -> None:
    line = json.dumps(GOOD | {"note": "x" * 1000}).encode() + b"\n"
    many = 2 * MAX_BODY // len(line)
    answers = lines(house.by("requester").post(PATH, line * many, headers=NDJSON))
    assert [answer["index"] for answer in answers] == list(range(many))


@pytest.mark.parametrize("array", [True, False])
def test_a_nul_fails_its_own_line(house: Any, array: bool) -> None:
    given = [GOOD, GOOD | {"note": "a\0b"}, GOOD]
    body = json.dumps(given) if array else "\n".join(map(json.dumps, given))
    answers = lines(house.by("requester").post(PATH, body.encode(), headers=NDJSON))
    assert ["error" in answer for answer in answers] == [False, True, False]
    assert answers[1]["error"]["rule"] == "text.nul"
    assert answers[1]["error"]["field"] == "submission"


@pytest.mark.parametrize(
    ("body", "status"), [(b"", 422), (b"\n\n", 422), (b"[", 400), (b"[]", 422)]
)
def test_what_is_no_batch(house: Any, body: bytes, status: int) -> None:
    answer = house.by("requester").post(PATH, body, headers=NDJSON)
    assert answer.status == status
    assert answer.is_problem


def test_what_is_wrong_with_all_of_it_is_a_status(house: Any) -> None:
    house.services.registration.refusing = NotPermitted("not today")
    answer = house.by("requester").post(PATH, json.dumps(GOOD).encode(), headers=NDJSON)
    assert (answer.status, answer.json["detail"]) == (403, "not today")
