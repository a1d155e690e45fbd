"""What a certificate says, arranged for reading."""

import pytest

from chancery.domain.names import GeneralName, NameKind
from chancery.domain.request import Submission
from chancery.services.portal.comparison import Fate, compare
from chancery.web.console import content


def extension(oid: str, name: str, value: object, *, critical: bool = False) -> dict[str, object]:
    return {"oid": oid, "name": name, "critical": critical, "value": value}


SIGNED = {
    "serial": "ab12",
    "issuer": ["O=Example", "CN=Issuing"],
    "subject": ["C=DE", "O=Example", "CN=www.example.org"],
    "key": {"algorithm": "ec-p256", "spki": ""},
    "validity": {"lasting_s": 90 * 86_400, "backdate_s": 60, "latest": 0, "after_issuer": "x"},
    "extensions": [
        extension("2.5.29.19", "basicConstraints", {"ca": False, "path_length": None}),
        extension("2.5.29.37", "extendedKeyUsage", ["serverAuth", "1.2.3"]),
        extension("2.5.29.17", "subjectAltName", ["dns:www.example.org", "ip:192.0.2.1"]),
        extension("2.5.29.14", "subjectKeyIdentifier", "0a0b"),
        extension(
            "1.3.6.1.5.5.7.1.1",
            "authorityInfoAccess",
            [{"method": "OCSP", "location": "uri:http://a/"}],
        ),
        extension("1.2.3.4", "1.2.3.4", {"der": "0500"}, critical=True),
    ],
}
ASKED = {
    "subject": ["O=Other", "CN=www.example.org", "L=Here"],
    "names": ["dns:www.example.org", "dns:more.example.org"],
    "key": {"algorithm": "ec-p256", "sha256": ""},
    "extensions": [
        extension("2.5.29.19", "basicConstraints", {"ca": True, "path_length": 3}),
        extension("2.5.29.30", "nameConstraints", {"permitted": ["dns:a"], "excluded": []}),
    ],
}


def texts(groups: list[content.Group]) -> dict[str, list[str]]:
    return {
        row.label: [value.text for value in row.becomes or ()]
        for group in groups
        for row in group.rows
    }


def test_what_is_issued() -> None:
    said = texts(content.of_certificate(SIGNED))
    assert said["Country"] == ["DE"]
    assert said["Extended key usage"] == ["TLS server (serverAuth)", "1.2.3"]
    assert said["Basic constraints"] == ["not a CA"]
    assert said["IP address"] == ["192.0.2.1"]
    assert said["Subject key identifier"] == ["0A:0B"]
    assert said["Authority information"] == ["OCSP: http://a/"]
    assert said["1.2.3.4"] == ["DER 05:00"]
    assert said["Issuer"] == ["CN=Issuing, O=Example"]
    assert said["Serial number"] == ["AB:12"]


def test_what_was_asked_beside_it() -> None:
    sent = Submission("tls-server", subject=(("C", "DE"),))
    groups = content.of_request(SIGNED, ASKED, compare(ASKED, SIGNED), sent)
    rows = {(row.label, row.fate): row for group in groups for row in group.rows}
    assert ("Common name", Fate.KEPT) in rows
    assert rows["Organisation", Fate.CHANGED].origin == "set by the profile"
    assert rows["Country", Fate.ADDED].origin == "typed beside the CSR"
    assert rows["Locality", Fate.DROPPED].becomes is None
    constraints = rows["Basic constraints", Fate.CHANGED]
    assert constraints.asked is not None
    assert [value.text for value in constraints.asked] == ["a CA with at most 3 CAs below it"]
    assert rows["Name constraints", Fate.DROPPED].origin == "the profile does not take it"
    dropped = [row for row in groups[1].rows if row.fate is Fate.DROPPED]
    assert [row.asked for row in dropped] == [(content.Value("more.example.org", code=True),)]
    assert rows["Valid for", Fate.ADDED].becomes == (content.Value("90 days"),)


def test_what_was_typed_without_a_csr() -> None:
    groups = content.of_request(SIGNED, None, (), Submission("tls-server", server_key="ec-p256"))
    assert [group.title for group in groups][-2:] == ["Validity", "Issuer and serial number"]
    assert all(row.asked is None for group in groups for row in group.rows)


@pytest.mark.parametrize(
    ("seconds", "said"),
    [(86_400, "1 day"), (90 * 86_400, "90 days"), (3_600, "1.0 hours"), (216_000, "2.5 days")],
)
def test_lengths_of_time(seconds: int, said: str) -> None:
    signed = SIGNED | {"validity": SIGNED["validity"] | {"lasting_s": seconds}}  # type: ignore[operator]
    groups = content.of_request(signed, None, (), Submission("p", server_key="ec-p256"))
    assert texts(groups)["Valid for"] == [said]


@pytest.mark.parametrize(
    ("subject", "names", "called"),
    [
        ("CN=www.example.org,O=Example", ("x",), "www.example.org"),
        ("CN=a\\,b,O=Example", (), "a\\,b"),
        ("CN=a+OU=b", ("x",), "x"),
        ("O=Example", ("x",), "x"),
        ("O=Example", (), "O=Example"),
        ("", (), "7f"),
    ],
)
def test_how_people_call_it(subject: str, names: tuple[str, ...], called: str) -> None:
    given = [GeneralName(NameKind.DNS, name) for name in names]
    assert content.called(subject, given, "7f") == called
