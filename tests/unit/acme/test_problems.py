"""Each error has an answer in ACME's words, and bugs keep theirs."""

import pytest

from chancery.domain import errors
from chancery.domain.acme import Fault, Several, identifier
from chancery.domain.errors import CAError
from chancery.protocols.acme.problems import PROBLEMS, RULES, of_fault, problem, retry_after

KINDS = [k for k in vars(errors).values() if isinstance(k, type) and issubclass(k, CAError)]
# RFC 8555 §6.7, RFC 8657 §6, RFC 9773 §7.4; invalidProfile: draft-ietf-acme-profiles §5
WORDS = {
    "accountDoesNotExist", "alreadyRevoked", "badCSR", "badNonce", "badPublicKey",
    "badRevocationReason", "badSignatureAlgorithm", "caa", "compound", "connection", "dns",
    "externalAccountRequired", "incorrectResponse", "invalidContact", "malformed",
    "orderNotReady", "rateLimited", "rejectedIdentifier", "serverInternal", "tls",
    "unauthorized", "unsupportedContact", "unsupportedIdentifier", "userActionRequired",
    "alreadyReplaced", "invalidProfile",
}  # fmt: skip


@pytest.mark.parametrize("kind", KINDS)
def test_every_error_has_its_own_row(kind: type[CAError]) -> None:
    assert kind in {row[0] for row in PROBLEMS}
    status, body = problem(kind("why", remedy="do this"))
    assert (body["detail"], body["status"]) == ("why: do this", status)
    assert body["type"].removeprefix("urn:ietf:params:acme:error:") in WORDS


@pytest.mark.parametrize("later", range(len(PROBLEMS)))
def test_no_row_hides_a_later_one(later: int) -> None:
    kind = PROBLEMS[later][0]
    assert not any(issubclass(kind, earlier[0]) for earlier in PROBLEMS[:later])


def test_every_rule_has_a_word_that_is_registered() -> None:
    assert {word for word, _ in RULES.values()} <= WORDS
    assert {word for _, word, _ in PROBLEMS} <= WORDS


def test_the_text_of_a_bug_stays_inside() -> None:
    assert problem(KeyError("sqlite:///secret.db"))[1]["detail"] == "internal error"


def test_algorithms_are_listed_where_one_was_refused() -> None:
    status, body = problem(errors.BadRequest("no", rule="acme.algorithm"))
    assert status == 400
    assert "ES256" in body["algorithms"]
    assert not {"none", "HS256"} & set(body["algorithms"])


def test_each_refused_identifier_is_told() -> None:
    one, other = identifier("dns", "a.example.org"), identifier("dns", "b.example.org")
    alike = errors.BadName("not that", rule="acme.identifier.refused")
    status, body = problem(Several([(one, alike), (other, alike)]))
    assert (status, body["type"].rpartition(":")[2]) == (403, "rejectedIdentifier")
    assert [part["identifier"]["value"] for part in body["subproblems"]] == [one.value, other.value]
    status, body = problem(Several([(one, alike), (None, errors.BadRequest("x"))]))
    assert (status, body["type"].rpartition(":")[2]) == (400, "compound")
    assert "identifier" not in body["subproblems"][1]


def test_when_to_try_again() -> None:
    assert retry_after(errors.TooOften("x", retry_after_s=7)) == 7
    assert retry_after(errors.Unavailable("x")) == 30
    assert retry_after(errors.BadRequest("x")) is None
    assert of_fault(Fault("dns", "gone"))["type"] == "urn:ietf:params:acme:error:dns"
