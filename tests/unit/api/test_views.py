"""What each kind of object looks like over the wire, and how pages are turned."""

import json
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding

from chancery.api.paging import decode, encode
from chancery.domain.algorithms import KeyAlgorithm, SignatureAlgorithm
from chancery.domain.audit import AuditEvent, AuditRecord, leaf_bytes
from chancery.domain.authority import (
    Authority,
    AuthorityCertificate,
    AuthorityCertificateKind,
    AuthorityState,
    Container,
    CrlRecord,
    SecurityLevel,
)
from chancery.domain.certificate import CertificateRecord, CertificateStatus, RevocationReason
from chancery.domain.dn_profile import DnProfile
from chancery.domain.errors import BadRequest, NotPermitted
from chancery.domain.names import Attribute, DistinguishedName, GeneralName, NameKind, Syntax
from chancery.domain.profile import ExtensionProfile, ProfileVersion
from chancery.domain.registration import RaFilter, RegistrationAuthority
from chancery.domain.request import (
    Approval,
    CertificateRequest,
    Note,
    RequestKind,
    RequestState,
    Submission,
    ToBeSigned,
)
from chancery.domain.saved_filter import ListName, SavedFilter
from chancery.domain.validity import LeafAfterIssuer, ValidityRule
from chancery.ports import CertificateFilter, LintResult, Page, RequestFilter
from chancery.services.authority import Extensions, PendingCertificate
from chancery.services.certificates import LintState
from chancery.services.downloads import Download
from chancery.services.history import CertificateHistory, Entry, Logged
from chancery.services.portal.check import Finding, Severity
from chancery.services.portal.comparison import Fate, Line
from chancery.services.registration import RequestView
from chancery.services.rehearsal import Submitted
from chancery.services.review import Act, Queue, Review
from chancery.wire import documents

V1 = "/api/v1"
NAMES = (GeneralName(NameKind.DNS, "www.example.org"),)
RULE = ValidityRule(86_400, 60, 2**31, LeafAfterIssuer.TRUNCATE)
REQUEST = CertificateRequest(
    id="r-1", state=RequestState.PENDING, kind=RequestKind.NEW, ra="default", authority="issuing",
    profile="tls-server", profile_sha256="00", requester="requester", subject="CN=x", names=NAMES,
    key_sha256="11", key_algorithm="ec-p256", serial="5a", tbs=ToBeSigned(b"", b"", RULE),
    content_sha256="2" * 64, csr=b"old", server_key_id=None, approvals_needed=1,
    submission=documents.encode(Submission("tls-server", days=30)).decode(),
    created_at=1, expires_at=2,
)  # fmt: skip
CERTIFICATE = CertificateRecord(
    id="c-1", authority="issuing", serial="5a", subject="CN=x", names=NAMES, not_before=1,
    not_after=2, key_sha256="11", sha256="33", profile="tls-server", profile_sha256="00",
    request_id="r-1", requester="requester", der=b"\x30\x00", issued_at=1,
)  # fmt: skip
REVOKED = replace(
    CERTIFICATE,
    status=CertificateStatus.REVOKED,
    revoked_at=9,
    reason=RevocationReason.keyCompromise,
)


def _self_signed() -> bytes:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "Issuing")])
    return (
        x509.CertificateBuilder(name, name, key.public_key(), 0x5A)
        .not_valid_before(datetime(2026, 1, 1, tzinfo=UTC))
        .not_valid_after(datetime(2026, 12, 31, 23, 59, 59, tzinfo=UTC))
        .add_extension(x509.BasicConstraints(ca=True, path_length=1), critical=True)
        .sign(key, hashes.SHA256())
        .public_bytes(Encoding.DER)
    )


AUTHORITY = Authority(
    name="issuing", container="main", parent="root",
    subject=DistinguishedName(((Attribute("2.5.4.3", "Issuing", Syntax.UTF8),),)), key_id="k",
    key_algorithm=KeyAlgorithm.EC_P384, signature_algorithm=SignatureAlgorithm.ECDSA_SHA384,
    state=AuthorityState.ACTIVE, offline=False, silo="", region="",
    security_level=SecurityLevel.STANDARD, certificate=_self_signed(), chain=(b"\x30\x00",),
    created_at=1, csr=b"\x30\x00",
)  # fmt: skip
PEM = "-----BEGIN CERTIFICATE-----\nMAA=\n-----END CERTIFICATE-----\n"
FILE = Download(b"\x30\x00", "application/pkix-cert", "x.cer")


class Told:
    """A service that gives prepared answers and keeps what it was asked (without the principal)."""

    def __init__(self, **answers: Any) -> None:
        self._answers = answers
        self.asked: list[tuple[str, tuple[Any, ...], dict[str, Any]]] = []

    def __getattr__(self, name: str) -> Any:
        answer = self._answers[name]

        def method(*given: Any, **named: Any) -> Any:
            public = name in {"export", "published_checkpoint", "latest_crl", "published"}
            self.asked.append((name, given if public else given[1:], named))
            return answer

        return method

    @property
    def last(self) -> tuple[Any, ...]:
        """Name, then positional arguments, then a dict of named ones if there are any."""
        name, given, named = self.asked[-1]
        return (name, *given, named) if named else (name, *given)


PENDING = PendingCertificate(
    "p-1", "root", "issuing", AuthorityCertificateKind.SUBORDINATE, "5a", "CN=x", "4" * 64, ("olga",), 2, 1
)  # fmt: skip
PROFILE = ProfileVersion(ExtensionProfile("tls-server"), 3, "00", 1, "ada")
RA = RegistrationAuthority("default", ("tls-server",), ("issuing",), "officers", 1, anonymous=False)
RECORD = AuditRecord(
    7,
    1_790_000_000_000,
    leaf_bytes(
        7, 1_790_000_000_000, AuditEvent("login.failed", "rita", "password", "192.0.2.7", "rita")
    ),
    b"\x01" * 32,
)  # fmt: skip


ENTRY = Entry(7, 5, "request.approved", "oscar", "olga", False, "")
FINDING = Finding(Severity.WARNING, "odd", "csr", "text.hidden", "look")
KEPT = SavedFilter("rita", ListName.REQUESTS, "mine", "ra=main", 4)
REVIEW = Review(
    REQUEST, {}, {"subject": ["CN=x"]}, (Line("subject.CN", "y", "x", Fate.CHANGED),),
    Submission("tls-server"), [], [], [], "officers", {Act.EDIT: NotPermitted("no", rule="request.owner")},
    [ENTRY], None,
)  # fmt: skip


@pytest.fixture
def behind() -> dict[str, Any]:
    view = RequestView(
        REQUEST,
        [Approval("r-1", "oscar", "2" * 64, 5)],
        [Note("rita", 4, "hi")],
        {"subject": "CN=x"},
    )
    certificates = Told(
        find=[CERTIFICATE, REVOKED, CERTIFICATE], show=CERTIFICATE, download=FILE, revoke=REVOKED,
        hold=CERTIFICATE, release=CERTIFICATE, lint=LintState([LintResult("pkilint", 4, ("WARNING x: y",))], ["other"]),
    )  # fmt: skip
    own = AuthorityCertificate(
        "issuing",
        AuthorityCertificateKind.SUBORDINATE,
        "k",
        "5a",
        "CN=Root",
        b"\x30\x00",
        1,
        2,
        1,
        current=True,
    )
    authorities = Told(
        list=[AUTHORITY], show=AUTHORITY, create=AUTHORITY, certificates=[own], disable=AUTHORITY,
        enable=AUTHORITY, containers=[Container("main", None)], create_container=Container("main", "owners"),
        export=FILE, renew=AUTHORITY, upload_certificate=AUTHORITY, import_authority=AUTHORITY,
        cross_sign=None, pending=[PENDING], approve=CERTIFICATE, reject=None,
        remove=None,
    )  # fmt: skip
    return {
        "registration": _Registration(find=[REQUEST] * 3, show=view),
        "decisions": Told(approve=REQUEST, deny=REQUEST),
        "changes": Told(edit=REQUEST, withdraw=REQUEST, delete=None, add_note=REQUEST),
        "delivery": Told(download=FILE, renew=Submitted(REQUEST, None, None)),
        "certificates": certificates,
        "reviews": Told(
            show=REVIEW, findings=(FINDING,), queues=[Queue("default", "officers", 3, False, True)]
        ),
        "history": Told(of_certificate=CertificateHistory([ENTRY], Logged(7, "0f", 9, "1f", 3))),
        "filters": Told(all=[KEPT], save=KEPT, delete=None),
        "authorities": authorities,
        "status": Told(
            issue_crl=CrlRecord("issuing", 8, 1, 2, 0, b""),
            accept_crl=CrlRecord("issuing", 9, 1, 2, 0, b""),
        ),
        "profiles": Told(
            all=[PROFILE], show=PROFILE, versions=[PROFILE], put=PROFILE, retire=None,
            dn_all=[DnProfile("tls", ())], dn_show=DnProfile("tls", ()), dn_put=DnProfile("tls", ()), dn_delete=None,
        ),
        "ras": Told(find=[RA], show=RA, put=RA, delete=None),
        "audit": Told(search=[RECORD], inclusion={"seq": 7}, published_checkpoint=b"origin\n7\n"),
        "audit_files": Told(published=b"\x01" * 32),
    }  # fmt: skip


class _Registration(Told):
    def enqueue(self, *_: Any) -> None:
        raise AssertionError


def test_requests(house: Any) -> None:
    who = house.by("ra-officer")
    page = who.get(f"{V1}/requests?state=pending&subject=CN%3Dw*&limit=2").json
    assert house.services.registration.last == (
        "find", RequestFilter(state=RequestState.PENDING, subject="CN=w*"), Page(None, 3),
    )  # fmt: skip
    assert len(page["items"]) == 2
    assert page["items"][0]["names"] == ["dns:www.example.org"]
    assert page["items"][0]["state"] == "pending"

    assert who.get(f"{V1}/requests?limit=3&cursor={page['next']}").json["next"] is None
    assert house.services.registration.last[2] == Page("r-1", 4)

    one = who.get(f"{V1}/requests/r-1?code=ABCD").json
    assert house.services.registration.last == ("show", "r-1", "ABCD")
    assert one["content"] == {"subject": "CN=x"}
    assert one["approvals"] == [
        {"approver": "oscar", "partner": None, "content_sha256": "2" * 64, "approved_at": 5}
    ]
    assert one["notes"] == [{"author": "rita", "written_at": 4, "text": "hi"}]


def test_decisions(house: Any) -> None:
    who = house.by("ra-officer")
    assert who.post(f"{V1}/requests/r-1/approve", {"content_sha256": "2" * 64}).status == 200
    assert house.services.decisions.last == ("approve", "r-1", "2" * 64)
    assert who.post(f"{V1}/requests/r-1/approve").status == 200
    assert house.services.decisions.last == ("approve", "r-1", None)
    assert who.post(f"{V1}/requests/r-1/approve", {"content_sha256": "x"}).status == 422
    assert who.post(f"{V1}/requests/r-1/deny", {"reason": "no"}).status == 200
    assert who.post(f"{V1}/requests/r-1/deny", {}).json["field"] == "reason"


def test_changes_of_a_request(house: Any) -> None:
    who = house.by("requester")
    assert who("PATCH", f"{V1}/requests/r-1", {"days": 5}).status == 200
    assert house.services.changes.last == (
        "edit",
        "r-1",
        Submission("tls-server", csr=b"old", days=5),
    )
    assert who("PATCH", f"{V1}/requests/r-1", {"daze": 5}).json["rule"] == "unknown"
    assert who.post(f"{V1}/requests/r-1/notes", {"text": "hello"}).status == 200
    assert house.anonymous.post(f"{V1}/requests/r-1/withdraw?code=ABCD").status == 200
    assert house.services.changes.last == ("withdraw", "r-1", "ABCD")
    assert who("DELETE", f"{V1}/requests/r-1").status == 204


def test_files_are_attachments(house: Any) -> None:
    headers = {"x-passphrase": "secret words"}
    answer = house.anonymous.get(f"{V1}/requests/r-1/download?format=p12&code=A", headers=headers)
    assert house.services.delivery.last == ("download", "r-1", "p12", "A", "secret words")
    assert answer.body == b"\x30\x00"
    assert answer.headers["content-type"] == "application/pkix-cert"
    assert answer.headers["content-disposition"] == 'attachment; filename="x.cer"'
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert house.anonymous.get(f"{V1}/authorities/root/export?format=der").body == b"\x30\x00"
    assert house.by("auditor").get(f"{V1}/certificates/5a/download").status == 200


def test_certificates(house: Any) -> None:
    who = house.by("auditor")
    page = who.get(f"{V1}/certificates?name=dns:x&status=revoked&expires_before=5&limit=2").json
    assert house.services.certificates.last == (
        "find", CertificateFilter(name="dns:x", status=CertificateStatus.REVOKED, expires_before=5), Page(None, 3),
    )  # fmt: skip
    assert [one["status"] for one in page["items"]] == ["valid", "revoked"]
    assert page["items"][1]["reason"] == "keyCompromise"
    assert decode(page["next"]) == "c-1"
    assert who.get(f"{V1}/certificates/5a").json["certificate"] == PEM
    assert who.get(f"{V1}/certificates/5a/lint").json == {
        "linters": [{"linter": "pkilint", "at": 4, "findings": ["WARNING x: y"]}],
        "waiting": ["other"],
    }
    assert who.get(f"{V1}/certificates?expires_before=-1").status == 400


def test_reviews_and_queues(house: Any) -> None:
    who = house.by("ra-officer")
    assert who.get(f"{V1}/requests/queues").json == [
        {"ra": "default", "group": "officers", "waiting": 3, "more": False, "mine": True}
    ]
    review = who.get(f"{V1}/requests/r-1/review?full=true").json
    assert house.services.reviews.last == ("findings", "r-1", {"full": True})
    assert review["changes"] == [
        {"what": "subject.CN", "asked": "y", "becomes": "x", "fate": "changed"}
    ]
    assert (review["missing"], review["group"], review["asked"]) == (
        1,
        "officers",
        {"subject": ["CN=x"]},
    )
    assert review["findings"][0]["severity"] == "warning"
    assert review["refusals"] == [{"act": "edit", "why": "no", "rule": "request.owner"}]
    assert review["history"][0]["partner"] == "olga"


def test_the_history_of_a_certificate(house: Any) -> None:
    told = house.by("auditor").get(f"{V1}/certificates/5a/history?authority=issuing").json
    assert house.services.history.last == ("of_certificate", "5a", "issuing")
    assert told["entries"][0]["action"] == "request.approved"
    assert told["logged"] == {"seq": 7, "leaf_hash": "0f", "size": 9, "root": "1f", "steps": 3}


def test_searches_that_are_kept(house: Any) -> None:
    who, mine = house.by("auditor"), {"list": "requests", "name": "mine", "query": "ra=main"}
    assert who.get(f"{V1}/filters/requests").json == [mine | {"created_at": 4}]
    assert who("PUT", f"{V1}/filters/requests/mine", {"query": "ra=main"}).json["name"] == "mine"
    assert house.services.filters.last == ("save", ListName.REQUESTS, "mine", "ra=main")
    assert who("DELETE", f"{V1}/filters/requests/mine").status == 204
    assert who.get(f"{V1}/filters/nothing").status == 422


def test_revocation(house: Any) -> None:
    who = house.by("requester")
    body = {"reason": "keyCompromise", "authority": "issuing", "invalidity_date": 5}
    assert who.post(f"{V1}/certificates/5a/revoke", body).json["status"] == "revoked"
    assert house.services.certificates.last == (
        "revoke",
        "5a",
        RevocationReason.keyCompromise,
        "issuing",
        5,
        {"comment": ""},
    )
    answer = who.post(f"{V1}/certificates/5a/revoke", {"reason": "boredom"})
    assert (answer.status, answer.json["rule"]) == (400, "reason.known")
    assert who.post(f"{V1}/certificates/5a/hold").status == 200
    assert who.post(f"{V1}/certificates/5a/release", {"authority": "issuing"}).status == 200
    renewed = who.post(f"{V1}/certificates/5a/renew", {"csr": "MAA="})
    assert (renewed.status, renewed.json["state"]) == (201, "pending")
    assert house.services.delivery.last == ("renew", "5a", None, b"0\x00", {"server_key": False})


def test_authorities(house: Any) -> None:
    who = house.by("ca-operator")
    (shown,) = who.get(f"{V1}/authorities").json
    assert (shown["subject"], shown["chain"]) == ("CN=Issuing", [PEM])
    assert "BEGIN CERTIFICATE" in shown["certificate"]
    assert (shown["serial"], shown["not_before"], shown["not_after"]) == (
        "5a",
        1767225600,
        1798761599,
    )
    assert (shown["path_length"], shown["csr_waiting"]) == (1, True)
    new = {"name": "root", "container": "main", "subject": "CN=Root"}
    assert who.post(f"{V1}/authorities", new).status == 201
    assert who.post(f"{V1}/authorities", new | {"kind": "x"}).status == 400
    assert who.post(f"{V1}/authorities", b"{").status == 400
    assert who.post(f"{V1}/authorities", []).status == 422
    assert who("DELETE", f"{V1}/authorities/issuing").status == 204
    assert house.services.authorities.last == ("remove", "issuing")
    for verb in ("disable", "enable"):
        assert who.post(f"{V1}/authorities/issuing/{verb}", {}).status == 200
    assert b"BEGIN CERTIFICATE REQUEST" in who.get(f"{V1}/authorities/issuing/csr").body
    assert who.get(f"{V1}/authorities/issuing/certificates").json[0]["current"]
    assert who.post(f"{V1}/authorities/issuing/crl").json["number"] == 8
    pem_crl = "-----BEGIN X509 CRL-----\nMAA=\n-----END X509 CRL-----\n"
    for given in ("MAA=", pem_crl):
        taken = who.post(f"{V1}/authorities/issuing/crl/upload", {"crl": given})
        assert (taken.status, taken.json["number"]) == (201, 9)
        assert house.services.status.last == ("accept_crl", "issuing", b"0\x00")
    assert who.post(f"{V1}/authorities/issuing/crl/upload", {"crl": PEM}).status == 400
    assert who.get(f"{V1}/containers").json == [
        {"name": "main", "owner_group": None, "description": ""}
    ]
    assert who.post(f"{V1}/containers", {"name": "main", "owner_group": "owners"}).status == 201


def test_succession(house: Any) -> None:
    who, told = house.by("ca-operator"), house.services.authorities
    assert who.post(f"{V1}/authorities/issuing/renew", {"days": 9}).status == 200
    named = {
        "new_key": False,
        "key_algorithm": None,
        "vault": None,
        "extensions": Extensions(days=9),
        "takes_over": None,
    }
    assert told.last == ("renew", "issuing", named)
    assert (
        who.post(
            f"{V1}/authorities/issuing/renew", {"new_key": True, "key_algorithm": "ec-p521"}
        ).status
        == 200
    )
    assert told.last[2]["key_algorithm"] is KeyAlgorithm.EC_P521
    assert told.last[2]["extensions"] is None

    assert who.post(f"{V1}/authorities/issuing/certificate", {"certificate": PEM}).status == 200
    assert told.last == ("upload_certificate", "issuing", PEM.encode(), None)
    cross = {"certificate": "MAA=", "path_length": 0, "name_constraints": {"permitted": ["dns:x"]}}
    answer = who.post(f"{V1}/authorities/issuing/cross-sign", cross)
    assert (answer.status, answer.json["state"]) == (202, "pending")
    assert told.last[3].name_constraints.permitted == ("dns:x",)

    imported = {"name": "old", "container": "main", "certificate": PEM, "pkcs12": "MAA="}
    assert who.post(f"{V1}/authorities/import", imported).status == 201
    assert (told.last[1].certificate, told.last[1].pkcs12) == (PEM.encode(), b"0\x00")
    assert who.post(f"{V1}/authorities/import", imported | {"key": "?"}).json["field"] == "key"

    assert who.get(f"{V1}/pending-certificates").json[0]["approvers"] == ["olga"]
    approved = who.post(f"{V1}/pending-certificates/p-1/approve", {"tbs_sha256": "4" * 64})
    assert (approved.json["state"], approved.json["certificate"]) == ("issued", PEM)
    assert who.post(f"{V1}/pending-certificates/p-1/reject", {"reason": "no"}).status == 204


def test_profiles_and_ras(house: Any) -> None:
    who = house.by("administrator")
    assert who.get(f"{V1}/profiles").json[0]["profile"]["name"] == "tls-server"
    assert who.get(f"{V1}/profiles/tls-server?version=3").json["version"] == 3
    assert house.services.profiles.last == ("show", "tls-server", 3)
    document = who.get(f"{V1}/profiles/tls-server").json["profile"]
    assert who("PUT", f"{V1}/profiles/tls-server", document).status == 200
    put = ("put", ExtensionProfile("tls-server"))
    assert house.services.profiles.last == (*put, {"accept_risks": {}})
    accepted = {"accept_risks": {"wildcard-unbounded": "a reason"}}
    assert who("PUT", f"{V1}/profiles/tls-server", document | accepted).status == 200
    assert house.services.profiles.last == (*put, accepted)
    refused = who("PUT", f"{V1}/profiles/tls-server", document | {"accept_risks": {"x": 1}})
    assert refused.status == 400
    assert who("PUT", f"{V1}/profiles/other", document).json["rule"] == "name.path"
    assert (
        who("PUT", f"{V1}/profiles/other", {"san": [{"kind": "dog"}]})
        .json["field"]
        .startswith("profile.san[0]")
    )
    assert who("DELETE", f"{V1}/profiles/tls-server").status == 204
    assert len(who.get(f"{V1}/profiles/tls-server/versions").json) == 1

    assert who.get(f"{V1}/dn-profiles").json[0]["name"] == "tls"
    assert who("PUT", f"{V1}/dn-profiles/tls", {"attributes": []}).status == 200
    assert who("DELETE", f"{V1}/dn-profiles/tls").status == 204

    assert who.get(f"{V1}/ras?profile=tls-server&disabled=false").json[0]["name"] == RA.name
    assert house.services.ras.last == ("find", RaFilter(profile="tls-server", disabled=False))
    ra = who.get(f"{V1}/ras/default").json
    assert who("PUT", f"{V1}/ras/default", ra).json == ra
    assert house.services.ras.last == ("put", RA, {"accept_risks": {}})
    assert who("DELETE", f"{V1}/ras/default").status == 204


def test_audit(house: Any) -> None:
    who = house.by("auditor")
    page = who.get(f"{V1}/audit?actor=rita&before=9&limit=1").json
    assert house.services.audit.last[1]["before_seq"] == 9
    assert page["next"] == 7
    assert page["items"][0]["hash"] == "01" * 32
    assert json.loads(page["items"][0]["leaf"])["seq"] == 7
    assert who.get(f"{V1}/audit/inclusion/7").json == {"seq": 7}
    assert house.anonymous.get(f"{V1}/audit/checkpoint").body == b"origin\n7\n"
    assert who.get(f"{V1}/audit/tiles/tile/entries/x001/067.p/5").body == b"\x01" * 32
    for name in (
        "checkpoint",
        "tile/0/..",
        "tile/0/000/../../x",
        "..%2f..%2fsecrets",
        "tile/0/0001",
    ):
        assert who.get(f"{V1}/audit/tiles/{name}").status == 404
    assert "size" in who.get(f"{V1}/audit/tiles/tile/0/0001").json["remedy"]


@pytest.mark.parametrize("limit", ["0", "1001", "-1", "x", "1e3", ""])
def test_pages_have_bounds(house: Any, limit: str) -> None:
    answer = house.by("auditor").get(f"{V1}/certificates?limit={limit}")
    assert (answer.status, answer.json["field"]) == (422, "limit")


@pytest.mark.parametrize("cursor", ["", "!", "AAAA%00", "a", "_" * 200, "Li4vLi4"])
def test_a_cursor_is_one_of_ours_or_an_error(house: Any, cursor: str) -> None:
    answer = house.by("auditor").get(f"{V1}/certificates?cursor={cursor}")
    if answer.status != 200:
        assert answer.is_problem
        assert answer.status in (400, 422)


def test_cursors_round_trip() -> None:
    assert (
        decode(encode("0190a1b2-0000-7000-8000-000000000000"))
        == "0190a1b2-0000-7000-8000-000000000000"
    )
    assert decode(None) is None
    with pytest.raises(BadRequest):
        decode("\u00e9")
