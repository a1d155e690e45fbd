"""How often strangers may, and with what effort."""

import hashlib
import itertools

import pytest

from chancery.domain.errors import NotFound, NotPermitted, TooLarge, TooOften, WrongState
from chancery.domain.identity import SYSTEM, anonymous
from chancery.services.portal.admission import Admission, check_stamp, stamped
from chancery.services.portal.buckets import source
from chancery.services.portal.policy import PortalPolicy, Rate
from chancery.wire import pem
from services.csr import p256_csr

HERE = anonymous("192.0.2.1")
THERE = anonymous("192.0.2.2")


class Time:
    now = 1_790_000_000_000

    def ms(self) -> int:
        return self.now

    def s(self) -> int:
        return self.now // 1000


@pytest.fixture
def time() -> Time:
    return Time()


def admission(time: Time, **policy: object) -> Admission:
    return Admission(PortalPolicy(**policy), time)  # type: ignore[arg-type]


def test_a_burst_then_a_rate(time: Time) -> None:
    office = admission(time, submissions=Rate(burst=3, per_hour=60))
    office.submissions(HERE, [b"", b""])
    with pytest.raises(TooOften) as caught:
        office.submissions(HERE, [b"", b""])
    assert caught.value.rule == "rate"
    assert caught.value.retry_after_s == 61
    office.submissions(HERE, [b""])  # what did not fit took nothing
    office.submissions(THERE, [b""])  # another address has a bucket of its own
    with pytest.raises(TooOften):
        office.submissions(HERE, [b""])
    time.now += caught.value.retry_after_s * 1000
    office.submissions(HERE, [b""])
    with pytest.raises(TooOften):
        office.submissions(HERE, [b""])


def test_the_wait_that_is_told_is_enough(time: Time) -> None:
    office = admission(time, checks=Rate(burst=2, per_hour=7))
    office.looks(HERE, 2)
    for _ in range(3):
        with pytest.raises(TooOften) as caught:
            office.looks(HERE)
        time.now += (caught.value.retry_after_s - 2) * 1000
        with pytest.raises(TooOften):
            office.looks(HERE)
        time.now += 2000
        office.looks(HERE)


def test_only_wrong_codes_count(time: Time) -> None:
    office = admission(time, codes=Rate(burst=2, per_hour=60))

    def look(found: bool, error: type[Exception] = NotFound) -> None:
        with office.guess(HERE, "CODE"):
            if not found:
                raise error("none")

    for _ in range(5):
        look(True)
    with pytest.raises(WrongState):
        look(False, WrongState)  # the code was right
    for _ in range(2):
        with pytest.raises(NotFound):
            look(False)
    with pytest.raises(TooOften):
        look(True)  # now even the right one must wait: else the answer would tell
    with office.guess(HERE, None), office.guess(SYSTEM, "CODE"):
        pass


def test_whoever_is_signed_in_passes(time: Time) -> None:
    office = admission(time, open=False, submissions=Rate(1, 1), proof_of_work=20)
    for _ in range(3):
        office.submissions(SYSTEM, [b""] * 100)
        office.looks(SYSTEM, 100)
    with pytest.raises(NotPermitted) as caught:
        office.submissions(HERE, [b""])
    assert caught.value.rule == "portal.closed"
    with pytest.raises(NotPermitted):
        office.looks(HERE)


def test_so_many_at_once(time: Time) -> None:
    office = admission(time, files=2)
    office.submissions(HERE, [b"", None])
    with pytest.raises(TooLarge, match="3 requests at once; at most 2"):
        office.submissions(HERE, [b""] * 3)
    with pytest.raises(TooLarge):
        office.looks(HERE, 3)


@pytest.mark.parametrize(
    ("origin", "bucket"),
    [
        ("192.0.2.1", "192.0.2.1"),
        ("::ffff:192.0.2.1", "192.0.2.1"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("fe80::1%eth0", "fe80::/64"),
        ("", ""),
        ("pipe", "pipe"),
        ("2001:db8:1:2:3:4:5:6 via berlin", "2001:db8:1:2::/64 via berlin"),
    ],
)
def test_what_is_one_source(origin: str, bucket: str) -> None:
    assert source(origin) == bucket


def test_memory_is_bounded(time: Time, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("chancery.services.portal.buckets._CAPACITY", 10)
    office = admission(time, checks=Rate(1, 1))
    for n in range(30):
        office.looks(anonymous(f"192.0.2.{n}"))
    with pytest.raises(TooOften):
        office.looks(anonymous("192.0.2.29"))
    office.looks(anonymous("192.0.2.0"))  # forgotten


def solve(csrs: list[bytes], bits: int, now: int) -> str:
    content = stamped(csrs)
    for counter in itertools.count():
        stamp = f"1:{now}:{content}:{counter}"
        if not int.from_bytes(hashlib.sha256(stamp.encode()).digest()) >> (256 - bits):
            return stamp
    raise AssertionError


def test_proof_of_work(time: Time) -> None:
    office = admission(time, proof_of_work=8)
    text = p256_csr("www.example.org").encode()
    der = pem.decode(text, ("CERTIFICATE REQUEST",), 10_000)[1]
    stamp = solve([der], 8, time.s())
    office.submissions(HERE, [text], stamp)
    office.submissions(HERE, [der], stamp)  # PEM and DER are one request
    other = p256_csr("other.example.org").encode()
    for csrs, wrong, why in (
        ([text], None, "missing"),
        ([text], "1:2", "other requests|another time"),
        ([text], "x" * 300, "missing"),
        ([text], "2" + stamp[1:], "form"),
        ([text], "1:\u0661:x:1", "missing"),
        ([text, text], stamp, "other requests"),
        ([other], stamp, "other requests"),
        ([None], stamp, "other requests"),
    ):
        with pytest.raises(NotPermitted, match=why) as caught:
            office.submissions(HERE, csrs, wrong)
        assert caught.value.rule == "portal.proof-of-work"
    with pytest.raises(NotPermitted, match="too little work"):
        check_stamp(f"1:{time.s()}:{stamped([text])}:x", [text], 64, time.s())
    with pytest.raises(NotPermitted, match="another time"):
        check_stamp(stamp, [text], 8, time.s() + 601)
    check_stamp(stamp, [text], 8, time.s() + 600)
