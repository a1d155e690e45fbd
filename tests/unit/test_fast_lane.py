"""Which requests take the fast lane: whole, plain, and read by nobody otherwise."""

import hashlib

import pytest

from chancery.server.lane import Lane

LANE = Lane({b"ocsp": object(), b"crl": object()}, print)  # type: ignore[dict-item]
POST = b"POST /ocsp/x HTTP/1.1\r\nHost: h\r\nContent-Type: application/ocsp-request\r\n"


def asked(data: bytes):  # type: ignore[no-untyped-def]
    again = [LANE.read(data) for _ in range(2)]  # what is remembered reads the same
    assert again[0] == again[1]
    return again[0]


def test_get_and_post() -> None:
    head, body = asked(b"GET /ocsp/ca/MEow%2B//a= HTTP/1.1\r\nHost: h\r\nAccept: */*\r\n\r\n")
    assert (head.segment, head.target, body, head.keep) == (
        b"ocsp", b"/ocsp/ca/MEow%2B//a=", None, True,
    )  # fmt: skip
    head, body = asked(POST + b"content-length:  3 \r\n\r\nabc")
    assert (head.target, body, head.keep) == (b"/ocsp/x", b"abc", True)
    assert asked(POST + b"content-length:  3 \r\n\r\nxyz")[1] == b"xyz"
    assert not asked(b"GET /crl/a.crl HTTP/1.0\r\n\r\n")[0].keep
    assert not asked(b"GET /crl/a.crl HTTP/1.1\r\nConnection: Close\r\n\r\n")[0].keep
    assert asked(b"GET /ocsp HTTP/1.1\r\nconnection: keep-alive\r\n\r\n")[0].keep


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"GET /ocsp",
        b"GET /ocsp/a HTTP/1.1\r\nHost: h\r\n",  # not whole
        b"GET /ocsp/a HTTP/1.1\r\n\r\nGET /ocsp/b HTTP/1.1\r\n\r\n",  # two
        b"GET /api/v1/me HTTP/1.1\r\n\r\n",
        b"GET /ocspx HTTP/1.1\r\n\r\n",
        b"GET //ocsp/a HTTP/1.1\r\n\r\n",
        b"GET /ocsp/a?x=1 HTTP/1.1\r\n\r\n",
        b"GET /ocsp/\x80 HTTP/1.1\r\n\r\n",
        b"GET http://h/ocsp/a HTTP/1.1\r\n\r\n",
        b"HEAD /ocsp/a HTTP/1.1\r\n\r\n",
        b"GET /ocsp/a HTTP/2.0\r\n\r\n",
        b"GET  /ocsp/a HTTP/1.1\r\n\r\n",
        b"GET /ocsp/a HTTP/1.1\r\nIf-None-Match: x\r\n\r\n",
        b"GET /ocsp/a HTTP/1.1\r\nUpgrade: h2c\r\n\r\n",
        b"GET /ocsp/a HTTP/1.1\r\nConnection: keep-alive, upgrade\r\n\r\n",
        b"GET /ocsp/a HTTP/1.1\r\nX: a\r\n folded\r\n\r\n",
        b"GET /ocsp/a HTTP/1.1\r\nX: a\nTransfer-Encoding: chunked\r\n\r\n",
        b"GET /ocsp/a HTTP/1.1\r\nX: \0\r\n\r\n",
        b"GET /ocsp/a HTTP/1.1\r\nX: a\rb\r\n\r\n",
        b"GET /ocsp/a HTTP/1.1\r\nContent-Length: 3\r\n\r\nabc",
        POST + b"\r\nabc",
        POST + b"Content-Length: 3\r\n\r\nab",
        POST + b"Content-Length: 3\r\n\r\nabcd",
        POST + b"Content-Length: +3\r\n\r\nabc",
        POST + b"Content-Length : 3\r\n\r\nabc",
        POST + b"Content-Length: 3\r\nContent-Length: 3\r\n\r\nabc",
        POST + b"Content-Length: 3, 3\r\n\r\nabc",
        POST + b"Content-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\nabc",
        POST + b"Expect: 100-continue\r\nContent-Length: 3\r\n\r\nabc",
        POST.replace(b"ocsp-request", b"json") + b"Content-Length: 3\r\n\r\nabc",
        POST + b"Content-Length: 9000\r\n\r\n" + b"x" * 9000,
    ],
)  # fmt: skip
def test_everything_else_goes_to_the_parser(data: bytes) -> None:
    assert asked(data) is None


class Takes:
    """Stands for what takes submissions."""


SUBMITTING = Lane({b"ocsp": object()}, print, Takes())  # type: ignore[dict-item, arg-type]
SUBMIT = b"POST /api/v1/requests HTTP/1.1\r\nHost: h\r\nAuthorization: Bearer chy_x\r\n"


def test_a_submission_with_a_token() -> None:
    for fields in (b"", b"Content-Type: application/json\r\n", b"Accept: */*\r\n"):
        for _ in range(2):
            head, body = SUBMITTING.read(SUBMIT + fields + b"Content-Length: 2\r\n\r\n{}")
            assert (head.target, body, head.keep) == (b"/api/v1/requests", b"{}", True)
            assert head.token == hashlib.sha256(b"chy_x").digest()
    closing = SUBMIT + b"Connection: close\r\nContent-Length: 2\r\n\r\n{}"
    assert not SUBMITTING.read(closing)[0].keep
    assert b"chy_x" not in repr(SUBMITTING._heads).encode(), "tokens do not stay"


@pytest.mark.parametrize(
    "data",
    [
        SUBMIT.replace(b"Bearer", b"Basic") + b"Content-Length: 2\r\n\r\n{}",
        SUBMIT.replace(b"Authorization: Bearer chy_x\r\n", b"") + b"Content-Length: 2\r\n\r\n{}",
        SUBMIT + b"Authorization: Bearer chy_y\r\nContent-Length: 2\r\n\r\n{}",
        SUBMIT + b"Idempotency-Key: a\r\nContent-Length: 2\r\n\r\n{}",
        SUBMIT + b"Proof-Of-Work: a\r\nContent-Length: 2\r\n\r\n{}",
        SUBMIT + b"Content-Type: text/plain\r\nContent-Length: 2\r\n\r\n{}",
        SUBMIT + b"Transfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n",
        SUBMIT + b"Content-Length: 2\r\n\r\n{",
        SUBMIT + b"Content-Length: 2\r\n\r\n{}{",
        SUBMIT + b"\r\n{}",
        SUBMIT.replace(b"requests", b"requests/bulk") + b"Content-Length: 2\r\n\r\n{}",
        SUBMIT.replace(b"POST", b"GET") + b"\r\n",
    ],
)
def test_unusual_submissions_go_to_the_parser(data: bytes) -> None:
    assert SUBMITTING.read(data) is None
    assert LANE.read(data) is None
