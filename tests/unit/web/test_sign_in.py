"""Signing in without scripts: by certificate, under a lock, out again; stepping up by certificate."""

import ssl
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding
from people import PASSWORD

from chancery.domain.identity import SYSTEM

BUTTON = "Sign in with your certificate"


@pytest.fixture
def shown(house: Any) -> tuple[str]:
    """The auditor's certificate, as the TLS listener reports it."""
    until = datetime.fromtimestamp(house.clock.now, UTC) + timedelta(days=9)
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "Ada")])
    builder = x509.CertificateBuilder().subject_name(name).issuer_name(name)
    builder = builder.public_key(key.public_key()).serial_number(x509.random_serial_number())
    builder = builder.not_valid_before(until - timedelta(days=10)).not_valid_after(until)
    der = builder.sign(key, hashes.SHA256()).public_bytes(Encoding.DER)
    house.identity.certificates.bind(SYSTEM, "auditor", der)
    return (ssl.DER_cert_to_PEM_cert(der),)


def test_a_certificate_opens_its_account(house: Any, shown: tuple[str]) -> None:
    browser = house.stranger
    assert BUTTON not in browser.get("/console/sign-in").text
    assert BUTTON in browser.get("/console/sign-in?next=/console/account", chain=shown).text
    fields = {"next": "/console/account"}
    answer = browser.post("/console/sign-in/certificate", fields, chain=shown)
    assert answer.headers["location"] == "/console/account"
    assert "auditor" in browser.get("/console/account", chain=shown).text


def test_without_one_nothing_opens(house: Any) -> None:
    browser = house.stranger
    browser.get("/console/sign-in")
    answer = browser.post("/console/sign-in/certificate")
    assert answer.status == 422
    assert "your browser showed no certificate" in answer.text
    assert "__Host-chancery" not in browser.cookies


def test_a_fresh_proof_by_certificate(house: Any, shown: tuple[str]) -> None:
    browser = house.stranger
    browser.get("/console/sign-in", chain=shown)
    browser.post("/console/sign-in/certificate", chain=shown)
    house.clock.now += 600
    browser.get("/console/step-up?next=/console/account", chain=shown)
    assert "Your certificate is asked for once more" in browser.page
    fields = {"back": "/console/account"}
    assert browser.post("/console/step-up", fields).status == 422  # not on this connection
    answer = browser.post("/console/step-up", fields, chain=shown)
    assert answer.headers["location"] == "/console/account"
    settled = browser.get("/console/step-up?next=/console/account", chain=shown)
    assert settled.headers["location"] == "/console/account"


def test_a_locked_account_says_so_and_no_more(house: Any) -> None:
    browser = house.stranger
    answers = {}
    for name in ("auditor", "nobody"):
        answers[name] = [
            (answer.status, "Locked" in answer.text)
            for answer in (browser.sign_in(name, "wrong password, as such") for _ in range(15))
        ]
        assert {status for status, _ in answers[name]} == {422, 423}
    assert answers["auditor"] == answers["nobody"]
    assert browser.sign_in("auditor", PASSWORD).status == 423


def test_the_cookie_changes_with_every_step(house: Any) -> None:
    browser = house.stranger
    browser.sign_in("auditor", PASSWORD)
    first = browser.cookies["__Host-chancery"]
    house.clock.now += 600
    browser.get("/console/step-up")
    browser.post("/console/step-up", {"password": PASSWORD})
    assert browser.cookies["__Host-chancery"] != first
    browser.cookies["__Host-chancery"] = first
    assert browser.get("/console/account").headers["location"].startswith("/console/sign-in?")


def test_signing_out_ends_it_everywhere(house: Any) -> None:
    browser = house.visitor("auditor")
    kept = dict(browser.cookies)
    browser.get("/console/account")
    browser.post("/console/sign-out")
    browser.cookies = kept
    assert browser.get("/console/account").headers["location"].startswith("/console/sign-in?")
