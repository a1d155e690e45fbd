"""What a typed word may mean, and in which order that is tried."""

import pytest

from chancery.domain.errors import BadRequest
from chancery.ports import CertificateFilter
from chancery.services.searching import MAX_WORD, meanings, normal_serial

HASH = "0a" * 32
BESIDE = CertificateFilter(profile="tls-server")


def found(word: str) -> list[tuple[str, dict[str, str]]]:
    """(meaning, the conditions it adds) for each meaning of *word*."""
    return [
        (
            meaning.what,
            {
                name: value
                for name in CertificateFilter.__slots__
                if (value := getattr(meaning.where, name)) is not None and name != "profile"
            },
        )
        for meaning in meanings(word, BESIDE)
    ]


def test_what_is_asked_beside_it_stays() -> None:
    assert all(meaning.where.profile == "tls-server" for meaning in meanings("www", BESIDE))


def test_a_name_then_its_beginning_then_a_common_name() -> None:
    assert found("www.example.org") == [
        ("a name", {"name": "www.example.org"}),
        ("the beginning of a name", {"name": "www.example.org*"}),
        ("a common name", {"subject": "CN=www.example.org*"}),
    ]
    assert found("www*") == [
        ("the beginning of a name", {"name": "www*"}),
        ("a common name", {"subject": "CN=www*"}),
    ]


@pytest.mark.parametrize("word", [HASH, HASH.upper(), ":".join(["0A"] * 32), f" {HASH} "])
def test_a_fingerprint_or_the_hash_of_a_key(word: str) -> None:
    assert found(word)[:2] == [
        ("a fingerprint", {"sha256": HASH}),
        ("the hash of a key", {"key_sha256": HASH}),
    ]


@pytest.mark.parametrize("word", ["00ab12cd", "0xAB12CD", "AB:12:CD", "ab 12 cd"])
def test_a_serial_number_or_its_beginning(word: str) -> None:
    assert found(word)[:2] == [
        ("a serial number", {"serial": "ab12cd"}),
        ("the beginning of a serial number", {"serial": "ab12cd*"}),
    ]


def test_few_hex_digits_are_a_name() -> None:
    assert [what for what, _ in found("abc")] == [
        "a name",
        "the beginning of a name",
        "a common name",
    ]


@pytest.mark.parametrize(
    ("word", "subject"),
    [
        ("CN=www", "CN=www*"),
        ("CN=www, O=Example", "CN=www,O=Example*"),
        ("2.5.4.3=x*", "2.5.4.3=x*"),
    ],
)
def test_a_subject(word: str, subject: str) -> None:
    assert found(word) == [("a subject", {"subject": subject})]


def test_a_kind_that_no_name_has() -> None:
    assert found("host:www") == [("a common name", {"subject": "CN=host:www*"})]
    assert found("https://www.example.org/")[0] == ("a name", {"name": "https://www.example.org/"})
    assert found("2001:db8::1")[-2][1] == {"name": "2001:db8::1*"}


@pytest.mark.parametrize("word", ["", "  ", "x" * (MAX_WORD + 1)])
def test_too_little_and_too_much(word: str) -> None:
    with pytest.raises(BadRequest) as refusal:
        list(meanings(word, BESIDE))
    assert refusal.value.rule == "search.length"


def test_serials_as_people_write_them() -> None:
    assert normal_serial(" 00:AB:cd ") == "abcd"
    assert normal_serial("0x0") == "0"
    with pytest.raises(BadRequest):
        normal_serial("xyz")
