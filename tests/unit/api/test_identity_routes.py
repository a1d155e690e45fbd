"""Accounts over the wire: signing in, tokens, users, groups."""

import ssl
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding
from people import PASSWORD

from chancery.domain.identity import Role

V1 = "/api/v1"


def test_three_ways_to_sign_in(house: Any) -> None:
    admin = house.by("administrator")
    assert admin.get(f"{V1}/me").json["method"] == "token"
    assert (
        house.anonymous.as_basic("requester", PASSWORD).get(f"{V1}/me").json["method"] == "password"
    )

    pem = client_certificate(datetime.fromtimestamp(house.clock.now, UTC) + timedelta(days=1))
    bound = admin.post(f"{V1}/users/requester/certificates", {"certificate": pem})
    assert bound.status == 201
    me = house.anonymous.get(f"{V1}/me", chain=(pem,)).json
    assert (me["name"], me["method"]) == ("requester", "certificate")
    assert me["roles"] == ["requester"]

    stranger = client_certificate(datetime.now(UTC) + timedelta(days=1))
    assert house.anonymous.get(f"{V1}/me", chain=(stranger,)).status == 401
    assert house.by("auditor").get(f"{V1}/me", chain=(pem,)).json["name"] == "auditor"

    sha256 = bound.json["sha256"]
    assert admin("DELETE", f"{V1}/users/requester/certificates/{sha256}").status == 204
    assert house.anonymous.get(f"{V1}/me", chain=(pem,)).status == 401


def client_certificate(not_after: datetime) -> str:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "Rita")])
    builder = x509.CertificateBuilder().subject_name(name).issuer_name(name)
    builder = builder.public_key(key.public_key()).serial_number(x509.random_serial_number())
    builder = builder.not_valid_before(not_after - timedelta(days=2)).not_valid_after(not_after)
    der = builder.sign(key, hashes.SHA256()).public_bytes(Encoding.DER)
    return ssl.DER_cert_to_PEM_cert(der)


@pytest.mark.parametrize(
    "authorization",
    [
        "Bearer",
        "Bearer ",
        "Basic",
        "Basic !!!",
        "Basic bm8tY29sb24=",
        "Basic //8=",
        "Digest x",
        "x" * 9000,
        "\xe9 x",
    ],
)
def test_broken_credentials_are_refused(house: Any, authorization: str) -> None:
    answer = house.anonymous.get(f"{V1}/me", headers={"authorization": authorization})
    assert answer.status in (400, 401)
    assert answer.is_problem


def test_a_broken_credential_is_not_anonymity(house: Any) -> None:
    """Public routes too: whoever meant to sign in must not be taken for a stranger."""
    checkpoint = f"{V1}/audit/checkpoint"
    assert house.anonymous.get(checkpoint).status == 404
    assert house.anonymous.as_bearer("chy_typo").get(checkpoint).status == 401


def test_a_lock_out_shows(house: Any) -> None:
    for _ in range(10):
        assert house.anonymous.as_basic("requester", "x" * 20).get(f"{V1}/me").status == 401
    answer = house.anonymous.as_basic("requester", PASSWORD).get(f"{V1}/me")
    assert (answer.status, answer.headers["retry-after"]) == (423, "60")
    assert house.by("administrator").post(f"{V1}/users/requester/unlock").status == 200
    assert house.anonymous.as_basic("requester", PASSWORD).get(f"{V1}/me").status == 200


def test_tokens_are_made_listed_and_revoked(house: Any) -> None:
    who = house.by("requester")
    made = who.post(
        f"{V1}/session/token", {"label": "ci", "days": 3, "scopes": ["certificate.read"]}
    )
    assert made.status == 201
    assert made.json["scopes"] == ["certificate.read"]
    narrow = house.anonymous.as_bearer(made.json["token"])
    assert narrow.get(f"{V1}/me").json["permissions"] == [
        "authenticated",
        "certificate.read",
        "public",
    ]
    assert narrow.get(f"{V1}/tokens").status == 403

    listed = who.get(f"{V1}/tokens").json
    assert made.json["id"] in {token["id"] for token in listed}
    assert not any("token" in token or "sha256" in token for token in listed)
    assert who("DELETE", f"{V1}/tokens/{made.json['id']}").status == 204
    assert narrow.get(f"{V1}/me").status == 401

    assert who.post(f"{V1}/session/token").status == 201
    assert (
        who.post(f"{V1}/session/token", {"scopes": ["no.such"]}).json["rule"] == "permission.known"
    )


def test_an_account_through_its_life(house: Any) -> None:
    admin = house.by("administrator")
    made = admin.post(
        f"{V1}/users",
        {
            "name": "newcomer",
            "email": "n@example.org",
            "roles": ["requester"],
            "password": PASSWORD,
        },
    )
    assert made.status == 201, made.body
    assert "password_hash" not in made.json
    assert made.json["has_password"]
    assert admin.post(f"{V1}/users", {"name": "newcomer"}).status == 409

    granted = admin("PUT", f"{V1}/users/newcomer/roles/ra-officer")
    assert granted.json["roles"] == ["ra-officer", "requester"]
    mixed = admin("PUT", f"{V1}/users/newcomer/roles/auditor")
    assert (mixed.status, mixed.json["rule"]) == (409, "FMT_SMR.2")
    assert admin("PUT", f"{V1}/users/newcomer/roles/king").json["rule"] == "role.known"

    newcomer = house.anonymous.as_basic("newcomer", PASSWORD)
    assert newcomer.get(f"{V1}/users/newcomer").status == 200
    assert newcomer.get(f"{V1}/users/auditor").status == 403
    new = {"password": "quite another passphrase", "current": PASSWORD}
    assert newcomer.post(f"{V1}/users/newcomer/password", new).status == 200
    assert newcomer.get(f"{V1}/me").status == 401

    assert admin("PATCH", f"{V1}/users/newcomer", {"disabled": True}).json["disabled"]
    assert admin("PATCH", f"{V1}/users/newcomer", {}).status == 400
    assert admin("DELETE", f"{V1}/users/newcomer").status == 204
    assert admin.get(f"{V1}/users/newcomer").status == 404


def test_the_last_administrator_stays(house: Any) -> None:
    admin = house.by("administrator")
    for answer in (
        admin("DELETE", f"{V1}/users/administrator"),
        admin("PATCH", f"{V1}/users/administrator", {"disabled": True}),
        admin("DELETE", f"{V1}/users/administrator/roles/administrator"),
    ):
        assert (answer.status, answer.json["rule"]) == (409, "identity.last-administrator")
    granted = admin("PUT", f"{V1}/users/administrator/roles/{Role.AUDITOR}")
    assert (granted.status, granted.json["rule"]) == (409, "FMT_SMR.2")


def test_groups(house: Any) -> None:
    admin = house.by("administrator")
    assert admin.post(f"{V1}/groups", {"name": "band", "roles": ["ra-officer"]}).status == 201
    joined = admin("PUT", f"{V1}/groups/band/members/requester")
    assert joined.json["members"] == ["requester"]
    assert "request.decide" in house.by("requester").get(f"{V1}/me").json["permissions"]
    assert admin("DELETE", f"{V1}/groups/band/members/requester").json["members"] == []
    assert [group["name"] for group in admin.get(f"{V1}/groups").json] == ["band"]
    assert admin("DELETE", f"{V1}/groups/band").status == 204
    assert admin.get(f"{V1}/groups/band").status == 404


HERE = "https://ca.example.org"
BROWSERS = [
    ({}, True),
    ({"sec-fetch-site": "same-origin", "origin": HERE}, True),
    ({"sec-fetch-site": "none"}, True),
    ({"sec-fetch-site": "cross-site"}, False),
    ({"sec-fetch-site": "same-site", "origin": "https://other.example.org"}, False),
    ({"origin": "https://evil.example.com"}, False),
    ({"origin": "https://ca.example.org.evil.example.com"}, False),
    ({"origin": "null"}, False),
]


@pytest.mark.parametrize(("headers", "passes"), BROWSERS)
def test_no_other_site_borrows_a_browsers_credentials(
    house: Any, headers: dict[str, str], passes: bool
) -> None:
    """Certificates and passwords go along by themselves; tokens are put there by a program."""
    path = f"{V1}/users/requester/unlock"
    pem = client_certificate(datetime.fromtimestamp(house.clock.now, UTC) + timedelta(days=1))
    admin = house.by("administrator")
    admin.post(f"{V1}/users/administrator/certificates", {"certificate": pem})

    for answer in (
        house.anonymous.as_basic("administrator", PASSWORD).post(path, headers=headers),
        house.anonymous.post(path, chain=(pem,), headers=headers),
    ):
        assert (answer.status == 200) is passes, answer.body
        assert passes or answer.json["rule"] == "request.cross-site"
    assert admin.post(path, headers=headers).status == 200
    assert house.anonymous.get(f"{V1}/me", chain=(pem,), headers=headers).status == 200
