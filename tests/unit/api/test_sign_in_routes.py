"""Signing in over the API as a browser does, and one's own credentials."""

import json
import re
from dataclasses import dataclass, field
from typing import Any

import pytest
from asking import Answer, Asker
from factors import Authenticator, totp_code
from people import PASSWORD

from chancery.domain.identity import SYSTEM, Role

V1 = "/api/v1"
NEW = "another passphrase of some words"


@dataclass
class Browser:
    """Keeps the cookie it is given and sends the session's secret, as a page of ours would."""

    asker: Asker
    cookie: str = ""
    csrf: str = ""
    headers: dict[str, str] = field(default_factory=lambda: {"sec-fetch-site": "same-origin"})

    def __call__(self, method: str, path: str, body: Any = None) -> Answer:
        headers = dict(self.headers)
        if self.cookie:
            headers["cookie"] = f"other=1; __Host-chancery={self.cookie}; more=2"
        if self.csrf:
            headers["x-csrf-token"] = self.csrf
        answer = self.asker(method, V1 + path, body, headers=headers)
        for line in answer.cookies:
            assert re.search(r"; Path=/(;|$)", line)
            assert {"HttpOnly", "Secure", "SameSite=lax"} <= set(line.split("; "))
            assert "Domain" not in line
            self.cookie = line.split(";")[0].removeprefix("__Host-chancery=").strip('"')
        if answer.status < 300 and answer.body and "csrf" in answer.json:
            self.csrf = answer.json["csrf"]
        return answer

    def sign_in(self, name: str, password: str = PASSWORD) -> Any:
        answer = self("POST", "/session", {"name": name, "password": password})
        assert answer.status == 201, answer.text
        return answer.json


@pytest.fixture
def browser(house: Any) -> Browser:
    return Browser(house.anonymous)


def rule(answer: Answer, status: int) -> str:
    assert answer.status == status, answer.text
    assert answer.is_problem
    return str(answer.json["rule"])


def test_in_and_out(browser: Browser) -> None:
    session = browser.sign_in("requester")
    assert (session["state"], session["user"], session["partner"]) == ("open", "requester", None)
    assert session["fresh"]
    me = browser("GET", "/me").json
    assert (me["name"], me["method"]) == ("requester", "session")
    assert browser("GET", "/session").json["id"] == session["id"]
    gone = browser.cookie
    assert browser("DELETE", "/session").status == 204
    browser.cookie = gone
    assert browser("GET", "/me").status == 401
    assert rule(browser("GET", "/session"), 404) == "session"


def test_a_wrong_password_sets_no_cookie(browser: Browser) -> None:
    answer = browser("POST", "/session", {"name": "requester", "password": "wrong"})
    assert rule(answer, 401) == "password"
    assert not answer.cookies


def test_changing_anything_takes_the_sessions_secret(browser: Browser) -> None:
    browser.sign_in("requester")
    secret = browser.csrf
    for csrf in ("", "x", secret[:-1], secret.upper()):
        browser.csrf = csrf
        assert rule(browser("POST", "/session/token"), 403) == "request.csrf"
        assert rule(browser("DELETE", "/session"), 403) == "request.csrf"
    browser.csrf = secret
    browser.headers = {"sec-fetch-site": "cross-site"}
    assert rule(browser("POST", "/session/token"), 403) == "request.cross-site"
    browser.headers = {"origin": "https://evil.example"}
    assert rule(browser("POST", "/session/token"), 403) == "request.cross-site"
    browser.headers = {"origin": "https://ca.example.org"}
    assert browser("POST", "/session/token").status == 201


def test_nobody_is_signed_in_by_another_site(browser: Browser) -> None:
    browser.headers = {"sec-fetch-site": "cross-site"}
    answer = browser("POST", "/session", {"name": "requester", "password": PASSWORD})
    assert rule(answer, 403) == "request.cross-site"


def test_a_session_that_is_over_is_none(browser: Browser, house: Any) -> None:
    browser.sign_in("requester")
    house.identity.users.edit(SYSTEM, "requester", disabled=True)
    assert browser("GET", "/me").status == 401
    assert house.anonymous.get("/api/docs", headers={"cookie": "__Host-chancery=x"}).status == 200
    stale = house.by("auditor").get(f"{V1}/me", headers={"cookie": "__Host-chancery=x"})
    assert stale.json["name"] == "auditor"


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("GET", "/session", None),
        ("POST", "/session/totp", {"code": "1"}),
        ("POST", "/session/recovery", {"code": "1"}),
        ("POST", "/session/passkey", {"answer": {}}),
        ("POST", "/session/passkey/options", None),
        ("POST", "/session/password", {"old": "a", "new": "b"}),
        ("POST", "/session/step-up", {"code": "1"}),
        ("POST", "/session/join", {"name": "a", "password": "b"}),
        ("POST", "/session/proceed", None),
        ("DELETE", "/session/join", None),
    ],
)
def test_without_a_session_there_is_nothing_to_go_on_with(
    browser: Browser, method: str, path: str, body: Any
) -> None:
    assert rule(browser(method, path, body), 404) == "session"
    browser.cookie = "x" * 43
    assert browser(method, path, body).status in {401, 404}


def test_an_app_from_enrolment_to_basic_authentication(browser: Browser, house: Any) -> None:
    browser.sign_in("requester")
    made = browser("POST", "/account/totp").json
    assert made["picture"].startswith("<svg")
    answer = browser("POST", "/account/totp/confirmation", {"code": "000000"})
    assert rule(answer, 400) == "totp.code"
    code = totp_code(made["uri"], house.clock.now)
    found = browser("POST", "/account/totp/confirmation", {"code": code}).json
    assert found == {"totp": True, "passkeys": [], "recovery_codes": 0}
    codes = browser("POST", "/account/recovery-codes").json["codes"]
    assert browser("GET", "/account/factors").json["recovery_codes"] == 10
    assert made["secret"] not in browser("GET", "/account/factors").text

    other = Browser(house.anonymous)
    assert other.sign_in("requester")["state"] == "needs-factor"
    assert other("GET", "/me").status == 401
    assert other("GET", "/session").json["awaited"] == "requester"
    assert rule(other("POST", "/session/totp", {"code": code}), 401) == "totp.code"
    house.clock.now += 30
    code = totp_code(made["uri"], house.clock.now)
    assert other("POST", "/session/totp", {"code": code}).json["state"] == "open"
    third = Browser(house.anonymous)
    third.sign_in("requester")
    assert third("POST", "/session/recovery", {"code": codes[3]}).json["methods"] == [
        "password", "recovery",
    ]  # fmt: skip

    basic = house.anonymous.as_basic("requester", PASSWORD)
    assert rule(basic.get(f"{V1}/me"), 401) == "second-factor"
    house.clock.now += 30
    code = totp_code(made["uri"], house.clock.now)
    assert basic.get(f"{V1}/me", headers={"chancery-code": code}).json["method"] == "password"
    assert rule(basic.get(f"{V1}/me", headers={"chancery-code": code}), 401) == "totp.code"


def test_a_token_changes_credentials_only_beside_the_password(house: Any) -> None:
    rita = house.by("requester")
    for path in ("/account/totp", "/account/recovery-codes"):
        assert rule(rita.post(V1 + path), 400) == "step-up"
    assert rule(rita.post(f"{V1}/account/totp", {"password": "wrong"}), 400) == "password.current"
    assert rita.post(f"{V1}/account/totp", {"password": PASSWORD}).status == 200
    assert rule(rita.post(f"{V1}/account/passkeys/options"), 404) == "session"
    change = {"password": NEW}
    assert rule(rita.post(f"{V1}/account/password", change), 400) == "password.current"
    assert rita.post(f"{V1}/account/password", change | {"current": PASSWORD}).status == 200
    assert house.anonymous.as_basic("requester", NEW).get(f"{V1}/me").status == 200


def test_passkeys(browser: Browser, house: Any) -> None:
    key = Authenticator()
    browser.sign_in("requester")
    options = browser("POST", "/account/passkeys/options").json
    body = {"answer": json.loads(key.create(options)), "label": "blue"}
    made = browser("POST", "/account/passkeys", body)
    assert made.status == 201
    passkey = made.json["id"]

    other = Browser(house.anonymous)
    assert other.sign_in("requester")["state"] == "needs-factor"
    options = other("POST", "/session/passkey/options").json
    body = {"answer": json.loads(key.get(options))}
    assert other("POST", "/session/passkey", body).json["state"] == "open"
    options = other("POST", "/session/passkey/options").json
    body = {"answer": json.loads(key.get(options))}
    assert other("POST", "/session/step-up", body).json["fresh"]
    assert rule(other("POST", "/session/step-up", body), 409) == "passkey.challenge"
    assert rule(other("POST", "/session/step-up", body | {"code": "1"}), 400) == "step-up.method"

    path = f"/account/passkeys/{passkey}"
    assert other("PATCH", path, {"label": "red"}).status == 200
    assert other("GET", "/account/factors").json["passkeys"][0]["label"] == "red"
    assert other("POST", f"{path}/removal").json["passkeys"] == []
    assert rule(other("POST", f"{path}/removal"), 404) == "passkey.known"


def test_a_password_that_must_be_changed(browser: Browser, house: Any) -> None:
    admin = house.by("administrator")
    answer = admin.post(
        f"{V1}/users/requester/password", {"password": PASSWORD, "must_change": True}
    )
    assert answer.status == 200
    assert admin.get(f"{V1}/users/requester").json["must_change_password"]
    assert browser.sign_in("requester")["state"] == "must-change-password"
    assert browser("GET", "/me").json["roles"] == []
    assert browser("GET", "/certificates").status == 403
    body = {"old": PASSWORD, "new": NEW}
    assert browser("POST", "/session/password", body).json["state"] == "open"
    assert browser("GET", "/me").json["roles"] == ["requester"]
    made = {"name": "new", "password": PASSWORD, "must_change_password": True}
    assert admin.post(f"{V1}/users", made).json["must_change_password"]


def test_two_in_one_session(browser: Browser, house: Any) -> None:
    admin = house.by("administrator")
    group = {"name": "pair", "roles": ["ra-officer"], "logins_required": 2}
    assert admin.post(f"{V1}/groups", group).json["logins_required"] == 2
    for name in ("requester", "ra-officer"):
        admin("PUT", f"{V1}/groups/pair/members/{name}")
    assert browser.sign_in("requester")["waiting"] == ["pair"]
    body = {"name": "ra-officer", "password": PASSWORD}
    joint = browser("POST", "/session/join", body).json
    assert (joint["user"], joint["partner"], joint["waiting"]) == ("requester", "ra-officer", [])
    me = browser("GET", "/me").json
    assert (me["name"], me["partner"], me["groups"]) == ("requester", "ra-officer", ["pair"])
    (entry,) = browser("GET", "/account/sessions").json
    assert (entry["partner"], entry["current"]) == ("ra-officer", True)

    assert admin("PATCH", f"{V1}/groups/pair", {"description": "two"}).json["description"] == "two"
    assert admin("PATCH", f"{V1}/groups/pair", {"logins_required": 3}).status == 422
    assert admin("PATCH", f"{V1}/groups/pair", {}).status == 400


def test_sessions_listed_and_ended(browser: Browser, house: Any) -> None:
    browser.sign_in("requester")
    other = Browser(house.anonymous)
    other.sign_in("requester")
    listed = browser("GET", "/account/sessions").json
    assert [entry["current"] for entry in listed] == [False, True]
    assert browser("DELETE", "/account/sessions").status == 204
    assert other("GET", "/me").status == 401
    assert browser("GET", "/me").status == 200

    admin, path = house.by("administrator"), f"{V1}/users/requester/sessions"
    (entry,) = admin.get(path).json
    assert admin("DELETE", f"{path}/{entry['id']}").status == 204
    assert rule(admin("DELETE", f"{path}/{entry['id']}"), 404) == "session.known"
    assert admin("DELETE", path).status == 204
    assert browser("GET", "/me").status == 401
    assert admin.get(path).json == []


def test_an_administrator_resets_factors(browser: Browser, house: Any) -> None:
    browser.sign_in("requester")
    made = browser("POST", "/account/totp").json
    code = totp_code(made["uri"], house.clock.now)
    browser("POST", "/account/totp/confirmation", {"code": code})
    admin, path = house.by("administrator"), f"{V1}/users/requester/factors"
    assert admin.get(path).json["totp"]
    assert admin("DELETE", path).status == 204
    assert not admin.get(path).json["totp"]
    assert house.by("auditor").get(path).status == 200
    assert browser("GET", "/me").status == 401
    own = f"{V1}/users/{Role.ADMINISTRATOR.value}/factors"
    assert rule(admin("DELETE", own), 409) == "factor.reset-own"


def test_tokens_of_others(house: Any) -> None:
    made = house.by("requester").post(f"{V1}/session/token", {"label": "mine"}).json
    admin, path = house.by("administrator"), f"{V1}/users/requester/tokens"
    (found,) = [one for one in house.by("auditor").get(path).json if one["label"] == "mine"]
    assert found["id"] == made["id"]
    assert made["token"] not in str(found)
    assert house.by("auditor")("DELETE", f"{path}/{made['id']}").status == 403
    assert rule(admin("DELETE", f"{V1}/users/auditor/tokens/{made['id']}"), 404) == "token.known"
    assert admin("DELETE", f"{path}/{made['id']}").status == 204
    assert house.anonymous.as_bearer(made["token"]).get(f"{V1}/me").status == 401
