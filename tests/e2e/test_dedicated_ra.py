"""A registration authority on a host of its own: real processes, and a centre that goes away."""

import json
import re
import ssl
import subprocess
import time
from collections.abc import Callable, Iterator
from http.cookiejar import CookieJar
from pathlib import Path
from typing import Any
from urllib.error import HTTPError
from urllib.parse import urlencode
from urllib.request import HTTPCookieProcessor, HTTPSHandler, Request, build_opener, urlopen

import pytest
from factors import totp_code

from services.csr import p256_csr
from services.dedicated_ra import DedicatedRa
from services.instance import Instance
from services.rest import Rest

OTHER = "elsewhere"


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("dedicated")


@pytest.fixture(scope="module")
def ra(home: Path) -> Iterator[DedicatedRa]:
    """A centre with two registration authorities; the host stands for ``main`` alone."""
    centre = Instance.create(home / "centre")
    centre.start()
    try:
        admin = Rest(centre, "admin")
        other = admin("GET", "/ras/main").body | {"name": OTHER, "profiles": ["tls-server"]}
        del other["name"]
        assert admin("PUT", f"/ras/{OTHER}", other).status == 200
        made = DedicatedRa.enrolled(centre, home / "berlin", ra="main")
        centre.stop()  # its settings have changed
        centre.launch()
        made.launch()
        centre.wait_ready()
        made.wait_ready()
        eventually(lambda: made.readiness()["checks"]["centre"] == "ok")
    except BaseException:
        centre.kill()
        raise
    yield made
    made.stop()
    centre.stop()


def eventually(holds: Callable[[], Any], timeout_s: float = 30) -> Any:
    deadline = time.monotonic() + timeout_s
    while time.monotonic() < deadline:
        if found := holds():
            return found
        time.sleep(0.1)
    raise AssertionError("it never came true")


def csr(home: Path, name: str) -> str:
    path = home / f"{name}.csr"
    subprocess.run(
        ["openssl", "req", "-new", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256",
         "-nodes", "-keyout", str(home / f"{name}.key"), "-out", str(path),
         "-subj", f"/CN={name}", "-addext", f"subjectAltName=DNS:{name}"],
        check=True, capture_output=True,
    )  # fmt: skip
    return str(path)


def submitted(at: Instance, home: Path, name: str, ra: str = "main") -> dict[str, Any]:
    found: dict[str, Any] = at.json(
        "request", "submit", csr(home, name), "--profile", "tls-server", "--ra", ra, "--anonymous"
    )
    return found


def test_from_a_strangers_request_to_a_certificate(ra: DedicatedRa, home: Path) -> None:
    asked = submitted(ra, home, "www.example.org")
    for officer in ("officer1", "officer2"):
        at = Rest(ra, officer)
        assert asked["id"] in {one["id"] for one in at("GET", "/requests").body["items"]}
        assert at("POST", f"/requests/{asked['id']}/approve").status == 200
    chain = home / "www.pem"
    done = ra.run(
        *("request", "download", asked["id"], "--code", asked["code"]),
        *("--format", "chain", "-o", str(chain)),
    )
    assert done.returncode == 0, done.stderr
    bundle = ra.facts["ca_bundle"]
    verified = subprocess.run(
        ["openssl", "verify", "-CAfile", bundle, "-untrusted", str(chain), str(chain)],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert verified.stdout == f"{chain}: OK\n", verified.stderr
    log = Rest(ra.centre, "auditor")("GET", f"/audit?subject={asked['id']}").body["items"]
    origins = {one["origin"] for one in log if one["action"] == "request.submitted"}
    assert origins == {"127.0.0.1 via berlin"}


def test_another_registration_authority_does_not_exist(ra: DedicatedRa, home: Path) -> None:
    foreign = submitted(ra.centre, home, "foreign.example.org", OTHER)
    path, code = f"/requests/{foreign['id']}", foreign["code"]
    here, stranger = Rest(ra, "officer1"), Rest(ra)
    for method, tail, body in (
        ("GET", "", None),
        ("GET", "/review", None),
        ("POST", "/approve", None),
        ("POST", "/deny", {"reason": "no"}),
        ("POST", "/notes", {"text": "hello"}),
    ):
        assert here(method, path + tail, body).status == 404, tail
    for method, tail in (("GET", ""), ("GET", "/download"), ("POST", "/withdraw")):
        assert stranger(method, f"{path}{tail}?code={code}").status == 404, tail
    assert stranger("GET", f"/portal/requests?code={code}").status == 404
    assert foreign["id"] not in {one["id"] for one in here("GET", "/requests").body["items"]}
    assert here("GET", f"/requests?ra={OTHER}").body["items"] == []
    assert {one["ra"] for one in here("GET", "/requests/queues").body} == {"main"}
    offers = stranger("GET", "/portal/profiles").body["items"]
    assert {one["ra"] for one in offers} == {"main"}

    for officer in ("officer1", "officer2"):
        assert Rest(ra.centre, officer)("POST", f"{path}/approve").status == 200
    serial = Rest(ra.centre, "officer1")("GET", path).body["serial"]
    assert Rest(ra.centre, "officer1")("GET", f"/certificates/{serial}").status == 200
    for tail in ("", "/download", "/lint", "/history"):
        assert here("GET", f"/certificates/{serial}{tail}").status == 404, tail
    for tail in ("/revoke", "/hold", "/release"):
        body = {"reason": "superseded"} if tail == "/revoke" else None
        assert here("POST", f"/certificates/{serial}{tail}", body).status == 404, tail
    found = here("GET", "/certificates?name=foreign.example.org").body["items"]
    assert found == []
    wanted = {"serial": serial, "reason": "superseded"}
    assert stranger("POST", "/revocations/challenge", wanted).status == 404
    wish = Rest(ra.centre)("POST", f"/revocations{path}?code={code}", {"reason": "superseded"})
    assert wish.status == 201, wish.body
    assert here("GET", f"/revocations/{wish.body['id']}").status == 404
    assert here("POST", f"/revocations/{wish.body['id']}/accept").status == 404
    assert here("GET", "/revocations").body["items"] == []
    sideways = {"profile": "tls-server", "ra": OTHER, "csr": p256_csr("side.example.org")}
    assert stranger("POST", "/requests", sideways).status == 404


def test_what_is_not_an_ras_work_is_out_of_reach(ra: DedicatedRa) -> None:
    for path in ("/users", "/profiles", "/ras", "/authorities", "/operations", "/account/factors"):
        assert Rest(ra, "admin")("GET", path).rule == "gateway.reach", path
    status, text, _ = ra.get("/console/audit")
    assert (status, "This is not done here" in text) == (403, True)
    status, text, _ = ra.get("/")
    assert (status, "Request a certificate" in text) == (200, True)
    # Nobody but a gateway says for whom it relays, and no client of one.
    asked = Request(
        ra.facts["https"] + "/api/v1/requests",
        json.dumps({"profile": "tls-server", "csr": p256_csr("liar.example.org")}).encode(),
        {"chancery-relayed-for": "203.0.113.1", "chancery-receipt": "AAAA-AAAA-AAAA-AAAA"},
    )
    context = ssl.create_default_context(cafile=ra.facts["ca_bundle"])
    with urlopen(asked, timeout=20, context=context) as answer:
        found = json.load(answer)
    assert found["code"] != "AAAA-AAAA-AAAA-AAAA"
    log = Rest(ra.centre, "auditor")("GET", f"/audit?subject={found['id']}").body["items"]
    assert {one["origin"] for one in log} == {"127.0.0.1 via berlin"}


def test_an_officer_signs_in_with_an_app_and_decides(ra: DedicatedRa, home: Path) -> None:
    asked = submitted(ra, home, "screen.example.org")
    at = Rest(ra.centre, "officer1")
    password = ra.facts["users"]["officer1"]["password"]
    proof = {"password": password}
    made = at("POST", "/account/totp", proof)
    assert made.status in (200, 201), made.body
    secret = next(str(v) for k, v in made.body.items() if k in ("uri", "secret"))
    code = totp_code(secret, int(time.time()))
    confirmed = at("POST", "/account/totp/confirmation", {"code": code})
    assert confirmed.status in (200, 201, 204), confirmed.body

    page = Screen(ra)
    page.get("/console/sign-in")
    page.post("/console/sign-in", name="officer1", password=password)
    # The code that enrolled the app is spent; the next one is good half a minute early.
    page.post("/console/sign-in/factor", code=totp_code(secret, int(time.time()) + 30))
    text = page.get(f"/console/requests/{asked['id']}")
    assert "screen.example.org" in text
    assert "/console/people" not in text
    assert 'name="id"' not in page.get("/console/requests")  # one by one
    seen = at("GET", f"/requests/{asked['id']}").body["content_sha256"]
    page.post(f"/console/requests/{asked['id']}/approve", content_sha256=seen)
    (given,) = at("GET", f"/requests/{asked['id']}").body["approvals"]
    assert given["approver"] == "officer1"
    # Its cookie opens nothing at the centre's own address.
    away = Screen(ra.centre, page.cookies)
    assert "officer1" not in away.get("/console")


class Screen:
    """A browser without scripts: cookies, the token of the page seen last, redirects followed."""

    def __init__(self, at: Instance, cookies: CookieJar | None = None) -> None:
        self.cookies = cookies if cookies is not None else CookieJar()
        self._base = at.facts["https"]
        context = ssl.create_default_context(cafile=at.facts["ca_bundle"])
        self._open = build_opener(
            HTTPSHandler(context=context), HTTPCookieProcessor(self.cookies)
        ).open
        self._page = ""

    def get(self, path: str) -> str:
        return self._ask(Request(self._base + path, headers={"accept": "text/html"}))

    def post(self, path: str, **fields: str) -> str:
        found = re.search(r'name="csrf(?:-token)?" (?:value|content)="([^"]*)"', self._page)
        body = urlencode({"csrf": found[1] if found else "", **fields}).encode()
        headers = {"accept": "text/html", "origin": self._base, "sec-fetch-site": "same-origin"}
        return self._ask(Request(self._base + path, body, headers))

    def _ask(self, request: Request) -> str:
        with self._open(request, timeout=20) as answer:
            self._page = answer.read().decode()
        return self._page


def test_nothing_is_lost_and_nothing_doubled_while_the_centre_is_away(
    ra: DedicatedRa, home: Path
) -> None:
    ra.centre.kill()
    asked = submitted(ra, home, "waiting.example.org")
    assert asked["state"] == "queued"
    stranger = Rest(ra)
    refusable = {"profile": "nothing", "csr": p256_csr("refused.example.org")}
    wrong = stranger("POST", "/requests", refusable).body
    screen = Screen(ra)
    with pytest.raises(HTTPError) as away:
        screen.get("/")
    assert (away.value.code, away.value.headers["retry-after"]) == (503, "30")
    screen._page = away.value.read().decode()
    assert "Send a certificate request meanwhile" in screen._page
    taken = screen.post("/submit", profile="main/tls-server", csr=p256_csr("form.example.org"))
    (code,) = set(re.findall(r"\b[A-Z2-7]{4}(?:-[A-Z2-7]{4}){3}\b", taken))
    assert "waiting here for the office" in screen.get("/status")
    ra.kill()
    ra.start()
    assert ra.readiness()["waiting"] == 3
    assert ra.json("ra", "receipt", asked["receipt"])["state"] == "queued"
    ra.centre.start()

    def ended(receipt: str) -> Any:
        told = stranger("GET", f"/receipts/{receipt}").body
        return told if told["state"] != "queued" else None

    told = eventually(lambda: ended(asked["receipt"]))
    assert told["state"] == "delivered"
    here = Rest(ra, "officer1")
    found = here("GET", "/requests?subject=CN%3Dwaiting.example.org").body["items"]
    assert [one["id"] for one in found] == told["requests"]
    opened = stranger("GET", f"/requests/{found[0]['id']}?code={asked['receipt']}")
    assert opened.body["state"] == "pending"
    refused = eventually(lambda: ended(wrong["receipt"]))
    assert (refused["state"], refused["refused"][0]["rule"]) == ("refused", "profile.known")
    (formed,) = eventually(lambda: ended(code))["requests"]
    assert "form.example.org" in screen.get(f"/requests/{formed}")
    assert "no profile" in screen.post("/status", code=wrong["receipt"])


def test_a_host_that_is_not_admitted_says_so(ra: DedicatedRa) -> None:
    admin, officer = Rest(ra.centre, "admin"), Rest(ra.centre, "officer1")
    (bound,) = admin("GET", "/users/ra-berlin/certificates").body
    (mine,) = officer("GET", f"/certificates?sha256={bound['sha256']}").body["items"]
    path = f"/certificates/{mine['serial']}"
    assert officer("POST", f"{path}/hold").status == 200
    eventually(lambda: "is held" in ra.readiness()["checks"]["centre"])
    assert ra.get("/console/sign-in")[0] == 503
    log = Rest(ra.centre, "auditor")("GET", "/audit?action=gateway.refused").body["items"]
    assert {one["subject"] for one in log} == {"berlin"}
    assert officer("POST", f"{path}/release").status == 200
    eventually(lambda: ra.readiness()["checks"]["centre"] == "ok", 40)
    assert ra.get("/console/sign-in")[0] == 200
