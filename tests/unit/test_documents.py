"""JSON documents: strict in, canonical out."""

import json
from dataclasses import dataclass

import pytest

from chancery.domain.dn_profile import DnProfile
from chancery.domain.errors import BadRequest, TooLarge
from chancery.domain.names import GeneralName, NameKind
from chancery.domain.profile import (
    BasicConstraints,
    ExtensionProfile,
    KeyUsage,
    MsTemplate,
    NameConstraints,
    SanRule,
)
from chancery.domain.registration import RegistrationAuthority
from chancery.domain.request import Submission
from chancery.domain.shipped import DN_PROFILES, PROFILES
from chancery.wire import documents

PROFILE = ExtensionProfile(
    name="é",
    san=(SanRule(NameKind.DNS, suffixes=(".example.org",)),),
    basic_constraints=BasicConstraints(ca=True),
    name_constraints=NameConstraints(("dns:example.org",)),
    ms_template=MsTemplate("1.2.3", 1),
)
SUBMISSION = Submission(
    profile="tls",
    csr=b"\x00\xff",
    names=(GeneralName(NameKind.DNS, "a.example"),),
    subject=(("CN", "x"),),
    extensions=(("1.2.3", b"\x05\x00"),),
)
RA = RegistrationAuthority("web", ("tls-server",), ("issuing",), "officers", 1, anonymous=False)


@pytest.mark.parametrize(
    "value", [PROFILE, SUBMISSION, RA, *PROFILES, *DN_PROFILES], ids=lambda v: type(v).__name__
)
def test_documents_survive(value: object) -> None:
    assert documents.decode(type(value), documents.encode(value), "document") == value
    assert documents.decode(type(value), documents.to_builtin(value), "document") == value


def test_the_form_is_canonical() -> None:
    assert documents.encode(BasicConstraints()) == b'{"ca":false,"path_length":null}'
    assert documents.encode({"b": 1, "a": "é"}) == '{"a":"é","b":1}'.encode()
    shuffled = json.dumps(dict(reversed(list(json.loads(documents.encode(PROFILE)).items()))))
    again = documents.decode(ExtensionProfile, shuffled.encode(), "profile")
    assert documents.sha256(again) == documents.sha256(PROFILE)
    assert documents.sha256(PROFILES[0]) != documents.sha256(PROFILES[1])


def test_defaults_may_be_left_out() -> None:
    assert documents.decode(ExtensionProfile, b'{"name":"x"}', "profile") == ExtensionProfile("x")


BAD: list[tuple[object, str, str]] = [
    ({"name": "x", "san": [{"kind": "dns"}, {"kind": "zz"}]}, "profile.san[1].kind", "type"),
    ({"name": "x", "sann": []}, "profile.sann", "unknown-key"),
    ({"name": "x", "san": [{"kind": "dns", "q": 1}]}, "profile.san[0].q", "unknown-key"),
    (
        {"name": "x", "basic_constraints": {"ca": False, "q": 1}},
        "profile.basic_constraints.q",
        "unknown-key",
    ),
    ({}, "profile.name", "type"),
    ({"name": 1}, "profile.name", "type"),
    ({"name": "x", "approvals": "1"}, "profile.approvals", "type"),
    ({"name": "x", "approvals": True}, "profile.approvals", "type"),
    ({"name": "x", "cdp": ["http://a", None]}, "profile.cdp[1]", "type"),
    ({"name": "x", "cdp": "http://a"}, "profile.cdp", "type"),
    ([], "profile", "type"),
    (None, "profile", "type"),
]


@pytest.mark.parametrize(("document", "field", "rule"), BAD)
def test_refuses_and_says_where(document: object, field: str, rule: str) -> None:
    for data in (document, json.dumps(document).encode()):
        with pytest.raises(BadRequest) as caught:
            documents.decode(ExtensionProfile, data, "profile")
        assert caught.value.field == field
        assert caught.value.rule == f"document.{rule}"
        assert caught.value.remedy


@pytest.mark.parametrize(
    ("document", "text", "remedy"),
    [
        (
            {"key_usage": ["digitalSig"]},
            f"profile.key_usage[0]: 'digitalSig' is none of: {', '.join(KeyUsage)}",
            "`chancery profile show NAME --json` prints an example",
        ),
        ({"san": [{"kind": "dog"}]}, "profile.san[0].kind: 'dog' is none of: dns, ", "show NAME"),
        ({"after_issuer": "zz"}, "profile.after_issuer: 'zz' is none of: ", "show NAME"),
        (
            {"basic_constraints": {"ca": 1}},
            "profile.basic_constraints.ca: expected true or false, not a whole number",
            "show NAME",
        ),
        (
            {"ms_template": {"oid": "1.2", "major": 1, "minor": "1"}},
            "profile.ms_template.minor: expected a whole number or null, not text",
            "show NAME",
        ),
        ({"cdp": "x"}, "profile.cdp: expected a list, not text", "show NAME"),
        ({"sann": []}, "profile.sann: there is no field 'sann'", "did you mean 'san'?"),
        ({"san": [{"kind": "dns", "sufixes": []}]}, "'sufixes'", "did you mean 'suffixes'?"),
        ({"colour": 1}, "profile.colour: there is no field", "remove it; `chancery profile"),
        ({"san": [{}]}, "profile.san[0].kind: 'kind' is missing", "show NAME"),
    ],
)
def test_errors_are_in_words(document: dict[str, object], text: str, remedy: str) -> None:
    for data in ({"name": "x"} | document, json.dumps({"name": "x"} | document).encode()):
        with pytest.raises(BadRequest) as caught:
            documents.decode(ExtensionProfile, data, "profile")
        assert text in str(caught.value)
        assert remedy in (caught.value.remedy or "")
        assert "`str`" not in str(caught.value)


@pytest.mark.parametrize(
    "data",
    [b"", b"{", b"\xff", b'{"profile":"\\ud800"}', b"[" * 100_000, b'{"profile":"x","csr":"*"}',
     b'{"profile":"a"} {}', b'{"profile":NaN}'],
)  # fmt: skip
def test_refuses_what_is_no_document(data: bytes) -> None:
    with pytest.raises(BadRequest):
        documents.decode(Submission, data, "submission")


def test_refuses_what_is_too_long() -> None:
    with pytest.raises(TooLarge):
        documents.decode(Submission, b" " * (documents.MAX_DOCUMENT + 1), "submission")


def test_errors_stay_short() -> None:
    data = json.dumps({"name": "x", "attributes": [], "k" * 100_000: 1}).encode()
    with pytest.raises(BadRequest) as caught:
        documents.decode(DnProfile, data, "dn_profile")
    assert len(str(caught.value)) < 500


@dataclass(frozen=True, slots=True)
class _Strict:
    value: int

    def __post_init__(self) -> None:
        if self.value < 0:
            raise ValueError("negative")


def test_a_type_that_refuses_a_value_is_heard() -> None:
    with pytest.raises(BadRequest, match="negative"):
        documents.decode(_Strict, b'{"value":-1}', "strict")
