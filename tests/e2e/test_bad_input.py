"""One negative corpus through every way in: the same refusal, and nothing left behind (incident I9)."""

import base64
import json
import tomllib
import warnings
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import NameOID

from chancery.adapters.clock import SystemClock
from chancery.adapters.storage import open_store
from chancery.domain.algorithms import SignatureAlgorithm
from chancery.ports import Page, RequestFilter
from chancery.settings import load
from chancery.wire import pem, pkcs10
from services.csr import p256_csr
from services.instance import Instance
from services.rest import Reply, Rest

VECTORS = Path(__file__).parents[1] / "vectors"
EC_KEY = ec.generate_private_key(ec.SECP256R1())
BLOCKED = ec.generate_private_key(ec.SECP256R1())
TWICE = ec.generate_private_key(ec.SECP256R1())
with warnings.catch_warnings(action="ignore"):  # pyca warns of what we want: weak keys
    RSA_1024 = rsa.generate_private_key(65_537, 1024)
    RSA_E_3 = rsa.generate_private_key(3, 2048)


@dataclass(frozen=True)
class Case:
    """A submission that must be refused by *rule*.  *given* are its fields beside the defaults."""

    rule: str
    status: int = 400
    given: dict[str, Any] = field(default_factory=dict)

    def body(self) -> dict[str, Any]:
        plain = {"profile": "tls-server", "ra": "careless"}
        return plain | ({} if "server_key" in self.given else {"csr": GOOD}) | self.given


def csr(*names: x509.GeneralName, key: Any = EC_KEY, subject: str | None = None) -> str:
    attributes = [x509.NameAttribute(NameOID.COMMON_NAME, subject)] if subject else []
    builder = x509.CertificateSigningRequestBuilder().subject_name(x509.Name(attributes))
    if names:
        builder = builder.add_extension(x509.SubjectAlternativeName(names), critical=False)
    request = builder.sign(key, hashes.SHA256())
    return request.public_bytes(serialization.Encoding.PEM).decode()


def host(*names: str) -> list[x509.GeneralName]:
    return [x509.DNSName(name) for name in names]


def b64(data: bytes) -> str:
    return base64.b64encode(data).decode()


def roca_csr() -> str:
    """A request for the weak key of our vectors, signed by itself: its factors are in the open."""
    vector = tomllib.loads((VECTORS / "rsa_keys" / "roca-2048.toml").read_text())
    modulus, exponent = int(vector["modulus"], 16), vector["exponent"]
    key = rsa.RSAPublicNumbers(exponent, modulus).public_key()
    spki = key.public_bytes(
        serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    good = pkcs10.decode(GOOD.encode())
    info = pkcs10.encode_info(good.subject, spki, good.extensions)
    return pem.encode(
        "CERTIFICATE REQUEST", pkcs10.join(info, SignatureAlgorithm.RSA_PKCS1_SHA256, bytes(256))
    )


GOOD = csr(*host("good.example.org"))
GOOD_DER = x509.load_pem_x509_csr(GOOD.encode()).public_bytes(serialization.Encoding.DER)


def vectors() -> dict[str, Case]:
    """The requests that the reader of PKCS#10 refuses: no door may read them another way."""
    found = {}
    for path in sorted((VECTORS / "pkcs10").glob("reject-*.toml")):
        vector = tomllib.loads(path.read_text())
        text = vector["pem"].strip() if "pem" in vector else b64(bytes.fromhex(vector["der"]))
        found[path.stem.removeprefix("reject-")] = Case(vector["reject"], given={"csr": text})
    return found


CSRS: dict[str, Case] = vectors() | {
    "garbage": Case("pem.missing", given={"csr": b64(b"this is no certificate request")}),
    "empty": Case("pem.missing", given={"csr": ""}),
    "truncated-der": Case("der.malformed", given={"csr": b64(GOOD_DER[:-20])}),
    "oversized-pem": Case("csr.size", 413, {"csr": "# padding\n" * 7_168 + GOOD}),
    "oversized-der": Case("csr.size", 413, {"csr": b64(b"\x30\x83\x01\x18\x00" + bytes(71_680))}),
    "rsa-1024": Case("rsa.size", given={"csr": csr(*host("a.example.org"), key=RSA_1024)}),
    "rsa-e-3": Case("rsa.exponent", given={"csr": csr(*host("a.example.org"), key=RSA_E_3)}),
    "roca": Case("rsa.roca", given={"csr": roca_csr()}),
    "email-name": Case("name.kind", given={"csr": csr(x509.RFC822Name("a@example.org"))}),
    "wildcard": Case("name.wildcard", given={"csr": csr(*host("*.example.org"))}),
    "no-name": Case("name.server-identity", given={"csr": csr()}),
    "foreign-cn": Case(
        "name.cn-in-san", given={"csr": csr(*host("a.example.org"), subject="not a host!")}
    ),
    "300-names": Case(
        "csr.names", given={"csr": csr(*host(*(f"h{n}.example.org" for n in range(300))))}
    ),
}  # fmt: skip
"""Bad in the file itself."""

NARROW_CSR = {"profile": "narrow", "csr": csr(*host("a.narrow.example"))}
FIELDS: dict[str, Case] = {
    "unknown-profile": Case("profile.known", 404, {"profile": "no-such-profile"}),
    "unknown-ra": Case("ra.known", 404, {"ra": "no-such-ra"}),
    "unknown-authority": Case("ra.authorities", 403, {"authority": "no-such-ca"}),
    "authority-not-of-the-ra": Case("ra.authorities", 403, {"authority": "root-ca"}),
    "profile-not-of-the-ra": Case("ra.profiles", 403, {"profile": "code-signing"}),
    "too-long": Case("validity.max", 400, {"days": 399}),
    "absurdly-long": Case("range", 422, {"days": 36_501}),
    "no-days": Case("range", 422, {"days": 0}),
    "days-fixed": Case("override.validity", 403, NARROW_CSR | {"days": 3}),
    "names-fixed": Case("override.san", 403, NARROW_CSR | {"names": ["dns:b.example.org"]}),
    "subject-fixed": Case("subject.csr", 400, NARROW_CSR | {"subject": {"CN": "x"}}),
    "outside-the-domain": Case("name.suffix", 400, {"profile": "narrow"}),
    "extension-not-open": Case(
        "override.custom-extensions", 403, {"extensions": {"1.3.6.1.4.1.99999.1": "0500"}}
    ),
    "nul-in-a-name": Case("text.nul", 422, {"names": ["dns:a\0.example.org"]}),
    "name-of-no-kind": Case("name.kind", 400, {"names": ["email:a@example.org"]}),
    "server-key-unknown": Case("key.algorithm", 400, {"server_key": "rsa-512"}),
    "server-key-not-of-the-profile": Case(
        "key.profile", 400, {"server_key": "rsa-2048", "profile": "narrow"}
    ),
    "server-key-without-a-name": Case("name.server-identity", 400, {"server_key": "ec-p256"}),
    "blocked-key": Case("key.blocked", 400, {"csr": csr(*host("b.example.org"), key=BLOCKED)}),
    "duplicate": Case("request.duplicate", 409, {"ra": "main", "csr": csr(*host("d.example.org"), key=TWICE)}),
}  # fmt: skip
"""Bad in what stands beside the CSR, or in what has happened before."""

ALL = {**CSRS, **FIELDS}
NARROW = {"key_algorithms": ["ec-p256"], "san": [{"kind": "dns", "suffixes": [".narrow.example"]}], "overrides": []}  # fmt: skip


OWN = frozenset({"ocsp-signer", "door-ra"})
"""Profiles of certificates that the service makes for itself, when they are due."""


@dataclass(frozen=True)
class House:
    """An instance with a careless RA, where whatever slips through is issued at once."""

    instance: Instance
    requester: Rest
    pending: str  # a request to be edited

    def record(self) -> dict[str, object]:
        """All that a submission could leave behind; the service makes its own keys meanwhile."""
        url = load(self.instance.directory / "chancery.toml").database.url
        with closing(open_store(url, clock=SystemClock())) as store, store.read() as session:
            pending = session.requests.get(self.pending)
            assert pending is not None
            return {
                "requests": {r.id: r.state for r in session.requests.find(RequestFilter(), Page(1000))},
                "edited": pending.content_sha256,
                "certificates": {
                    c.serial for c in session.certificates.iterate() if c.profile not in OWN
                },
                "intents": {i.id for i in session.certificates.intents()},
                "audit": len(session.audit.find(action="request.submitted", limit=10_000)),
                "edits": len(session.audit.find(action="request.edited", limit=10_000)),
                "keys": sorted(
                    p.name for p in (self.instance.directory / "vault").rglob("subject-*")
                ),
            }  # fmt: skip


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    directory = tmp_path_factory.mktemp("bad-input")
    with Instance.create(directory / "instance").serving() as instance:
        admin, requester = Rest(instance, "admin"), Rest(instance, "requester")
        shipped = admin("GET", "/profiles/tls-server").body
        narrow = shipped.get("profile", shipped) | NARROW | {"name": "narrow"}
        made = admin("PUT", "/profiles/narrow", narrow)
        assert made.status in (200, 201), made
        put_ra(admin, "careless", ["tls-server", "narrow"], approvals=0)
        block(instance, requester)
        waiting = requester.submit(csr(*host("d.example.org"), key=TWICE), ra="main")
        assert waiting.body["state"] == "pending", waiting
        pending = requester.submit(p256_csr("edit.example.org"), ra="main")
        yield House(instance, requester, pending.body["id"])


def put_ra(admin: Rest, name: str, profiles: list[str], *, approvals: int) -> None:
    document = {
        "name": name,
        "profiles": profiles,
        "authorities": ["issuing-ca"],
        "approval_group": "officers",
        "approvals": approvals,
        "anonymous": False,
    }
    assert admin("PUT", f"/ras/{name}", document).status in (200, 201)


def block(instance: Instance, requester: Rest) -> None:
    """Have a certificate for the key BLOCKED, and revoke it because the key is lost."""
    issued = requester.submit(csr(*host("b.example.org"), key=BLOCKED), ra="careless")
    assert issued.body["state"] == "issued", issued
    serial = issued.body["serial"]
    revoked = Rest(instance, "officer1")(
        "POST", f"/certificates/{serial}/revoke", {"reason": "keyCompromise"}
    )
    assert revoked.status == 200, revoked


Refusals = dict[str, tuple[str | None, int | None]]
EXPECTED: Refusals = {name: (case.rule, case.status) for name, case in ALL.items()}


def of(reply: Reply) -> tuple[str | None, int]:
    return reply.rule, reply.status


def differing(refusals: Refusals) -> Refusals:
    """What was answered where it is not what was expected."""
    return {name: got for name, got in refusals.items() if got != EXPECTED[name]}


def test_rest_refuses(house: House) -> None:
    before = house.record()
    answers = {
        name: of(house.requester("POST", "/requests", case.body())) for name, case in ALL.items()
    }
    assert not differing(answers)
    assert house.record() == before


def test_bulk_refuses(house: House) -> None:
    """In one batch, between two good ones that must not suffer."""
    names = [name for name in ALL if name != "nul-in-a-name"]  # that fails the whole batch: below
    good = {"profile": "tls-server", "ra": "careless", "csr": GOOD}
    bodies = [good, *(ALL[name].body() for name in names), good]
    before = house.record()
    reply = house.requester("POST", "/requests/bulk", ndjson(bodies))
    assert reply.status == 200, reply
    lines = [json.loads(line) for line in reply.body.splitlines()]
    assert [line["index"] for line in lines] == list(range(len(bodies)))
    assert lines[0]["state"] == lines[-1]["state"] == "issued"
    answers = {
        name: (line["error"].get("rule"), line["error"]["status"])
        for name, line in zip(names, lines[1:-1], strict=True)
    }
    assert not differing(answers)
    after = house.record()
    assert len(after["certificates"]) == len(before["certificates"]) + 2  # type: ignore[arg-type]
    assert after["keys"] == before["keys"]
    assert after["intents"] == before["intents"]
    assert after["audit"] == before["audit"] + 2  # type: ignore[operator]


def test_one_bulk_line_with_nul_fails_alone(house: House) -> None:
    good = {"profile": "tls-server", "ra": "careless", "csr": GOOD}
    bad = ALL["nul-in-a-name"].body()
    reply = house.requester("POST", "/requests/bulk", ndjson([bad, good, bad]))
    assert reply.status == 200
    first, second, third = (json.loads(line) for line in reply.body.splitlines())
    assert first["error"]["rule"] == third["error"]["rule"] == "text.nul"
    assert "id" in second or second["error"]["rule"] == "request.duplicate"


def ndjson(bodies: list[dict[str, Any]]) -> bytes:
    return b"".join(json.dumps(body).encode() + b"\n" for body in bodies)


def test_edit_refuses(house: House) -> None:
    """A pending request cannot be turned into what could not have been submitted."""
    before = house.record()
    answers = {
        name: of(house.requester("PATCH", f"/requests/{house.pending}", case.body()))
        for name, case in ALL.items()
    }
    assert not differing(answers)
    assert house.record() == before


def test_command_line_refuses_files(house: House, tmp_path: Path) -> None:
    """Several files in one call: each gets its own answer."""
    for name, case in CSRS.items():
        text = case.given["csr"]
        data = text.encode() if "-----" in text else base64.b64decode(text)
        (tmp_path / f"{name}.csr").write_bytes(data)
    before = house.record()
    files = [str(tmp_path / f"{name}.csr") for name in CSRS]
    done = house.instance.run(
        "request", "submit", *files, "--profile", "tls-server", "--ra", "careless", "--json",
        user="requester",
    )  # fmt: skip
    assert done.returncode == 3, done.stderr
    answers: Refusals = {
        Path(item["file"]).stem: (item["error"].get("rule"), item["error"].get("status"))
        for item in json.loads(done.stdout)
    }
    # What is too long, or is a key, is not even sent: the same rule, but no status.
    unsent = {name for name, (_, status) in answers.items() if status is None}
    assert {name: answers[name][0] for name in unsent} == {
        name: case.rule
        for name, case in CSRS.items()
        if case.rule in ("csr.size", "pem.private-key")
    }
    assert not differing({name: got for name, got in answers.items() if name not in unsent})
    assert house.record() == before


EXIT = {400: 2, 422: 2, 413: 2, 403: 5, 404: 4, 409: 6}


@pytest.mark.parametrize(
    "name",
    ["unknown-profile", "unknown-ra", "unknown-authority", "too-long", "days-fixed", "names-fixed",
     "extension-not-open", "server-key-without-a-name", "blocked-key", "duplicate"],
)  # fmt: skip
def test_command_line_refuses_options(house: House, tmp_path: Path, name: str) -> None:
    case = ALL[name]
    body = case.body()
    words: list[str] = []
    if text := body.pop("csr", None):
        (tmp_path / "bad.csr").write_text(text)
        words.append(str(tmp_path / "bad.csr"))
    for key, value in body.items():
        values = value if isinstance(value, list) else [value]
        if isinstance(value, dict):
            values = [f"{k}={v}" for k, v in value.items()]
        option = "--extension" if key == "extensions" else "--" + key.replace("_", "-")
        for one in values:
            words += [option, str(one)]
    before = house.record()
    done = house.instance.run("request", "submit", *words, "--json", user="requester")
    assert done.returncode == EXIT[case.status], done.stderr
    problem = json.loads(done.stderr)
    assert (problem["rule"], problem["status"]) == (case.rule, case.status)
    assert house.record() == before


@pytest.mark.parametrize("door", ["POST /requests", "POST /requests/bulk", "PATCH /requests/x"])
def test_a_forged_token_is_refused_and_on_record(house: House, door: str) -> None:
    """Even where an anonymous request would be taken: a bad credential is no anonymity."""
    method, _, path = door.partition(" ")
    reply = Rest(house.instance)(method, path, ALL["garbage"].body(), token="chy_forged")
    assert of(reply) == ("token", 401)
    failed = Rest(house.instance, "auditor")("GET", "/audit?action=login.failed&limit=10").body
    assert any(item["method"] == "token" for item in failed["items"]), failed


def test_a_request_to_be_a_ca_is_not_heard(house: House) -> None:
    """The CSR's basic constraints and key usage are the profile's business alone (I10)."""
    key = ec.generate_private_key(ec.SECP256R1())
    request = (
        x509.CertificateSigningRequestBuilder()
        .subject_name(x509.Name([]))
        .add_extension(x509.SubjectAlternativeName(host("ca.example.org")), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=9), critical=True)
        .add_extension(
            x509.KeyUsage(True, True, True, True, True, True, True, False, False), critical=True
        )
        .sign(key, hashes.SHA256())
        .public_bytes(serialization.Encoding.PEM)
        .decode()
    )
    issued = house.requester.submit(request, ra="careless").body
    certificate = x509.load_pem_x509_certificate(issued["certificate"].encode())
    constraints = certificate.extensions.get_extension_for_class(x509.BasicConstraints).value
    usage = certificate.extensions.get_extension_for_class(x509.KeyUsage).value
    assert not constraints.ca
    assert not usage.key_cert_sign
    assert not usage.crl_sign
