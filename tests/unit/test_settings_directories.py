"""The sections ``[[directories]]`` and ``[[providers]]``: what is taken, and what is refused."""

from pathlib import Path
from typing import Any

import pytest

from chancery.app.directories import plan_of
from chancery.domain.errors import BadRequest
from chancery.settings import load
from chancery.settings_directories import DirectorySettings, ProviderSettings, server_of
from services.tls_files import Authority

DIRECTORY: dict[str, Any] = {
    "name": "corp",
    "kind": "openldap",
    "servers": ["ldaps://ldap.example.org", "ldap://10.0.0.1:1389"],
    "ca_file": "ca.pem",
    "bind_dn": "cn=reader,dc=example,dc=org",
    "bind_password_file": "reader.password",
    "base": "ou=people,dc=example,dc=org",
    "group_base": "ou=groups,dc=example,dc=org",
    "map": [{"group": "RA Officers", "roles": ["ra-officer"], "groups": ["officers"]}],
}
PROVIDER: dict[str, Any] = {
    "name": "okta",
    "title": "Okta",
    "issuer": "https://login.example.org/tenant",
    "client_id": "chancery",
}


def test_defaults_fit_the_kind(tmp_path: Path) -> None:
    (tmp_path / "ca.pem").write_bytes(Authority.create("Root").pem)
    (tmp_path / "password").write_text("s3cret \n")
    files = {"ca_file": tmp_path / "ca.pem", "bind_password_file": tmp_path / "password"}
    plan = plan_of(DirectorySettings.model_validate(DIRECTORY | files))
    assert [str(server) for server in plan.servers] == [
        "ldaps://ldap.example.org:636",
        "ldap://10.0.0.1:1389",
    ]
    assert (plan.login_attribute, plan.id_attribute, plan.nesting) == ("uid", "entryUUID", "search")
    assert plan.bind_password == "s3cret "
    assert plan.by_login().encode(login="x")
    ad = plan_of(DirectorySettings.model_validate(DIRECTORY | files | {"kind": "active-directory"}))
    assert (ad.login_attribute, ad.id_attribute) == ("sAMAccountName", "objectGUID")
    assert (ad.nesting, ad.binary_id) == ("in-chain", True)
    assert "1.2.840.113556.1.4.1941" in ad.groups_of(1).text
    assert "userAccountControl" in ad.by_id().text


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"servers": ["http://x"]}, "write ldaps://host"),
        ({"servers": ["ldaps://"]}, "write ldaps://host"),
        ({"servers": ["ldaps://x:99999"]}, "not a server"),
        ({"servers": []}, "servers"),
        ({"bind_password": "x"}, "bind_password"),  # secrets stay in files
        ({"bind_dn": ""}, "bind_dn"),
        ({"bind_dn": "reader"}, "not a distinguished name"),
        ({"base": "people"}, "not a distinguished name"),
        ({"user_filter": "(uid=*)"}, "{login}"),
        ({"user_filter": "uid={login}"}, "not a search filter"),
        ({"user_filter": "(uid={name})"}, "{login}"),
        ({"active_filter": "(uid={login})"}, "{login}"),
        ({"group_base": ""}, "map needs group_base"),
        ({"suffix": "corp"}, "an @"),
        ({"suffix": "@"}, "an @"),
        ({"name": "Corp"}, "name"),
        ({"recheck": "PT1H"}, "recheck"),
        ({"timeout": "PT0S"}, "timeout"),
        ({"map": [{"group": "x"}]}, "give roles, groups, or both"),
        ({"map": [{"group": "x", "roles": ["auditor", "ra-officer"]}]}, "FMT_SMR.2"),
        ({"map": [{"group": "x", "roles": ["king"]}]}, "roles"),
        ({"starttls": False}, "starttls"),
    ],
)
def test_what_is_refused(change: dict[str, Any], said: str) -> None:
    with pytest.raises(ValueError, match=r"(?s).*") as caught:
        DirectorySettings.model_validate(DIRECTORY | change)
    assert said in str(caught.value)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"issuer": "http://login.example.org"}, "an https URL"),
        ({"issuer": "https://login.example.org?x=1"}, "an https URL"),
        ({"algorithms": ["none"]}, "algorithms"),
        ({"algorithms": ["HS256"]}, "algorithms"),
        ({"algorithms": []}, "algorithms"),
        ({"scopes": ["profile"]}, "openid"),
        ({"client_secret": "x"}, "client_secret"),
        ({"standing": "P60D"}, "standing"),
    ],
)
def test_what_is_refused_of_a_provider(change: dict[str, Any], said: str) -> None:
    ProviderSettings.model_validate(PROVIDER)
    with pytest.raises(ValueError, match=r"(?s).*") as caught:
        ProviderSettings.model_validate(PROVIDER | change)
    assert said in str(caught.value)


def test_servers_by_address() -> None:
    assert server_of("ldaps://[::1]:1636/") == ("::1", 1636, True)
    assert server_of("ldap://localhost") == ("localhost", 389, False)


def _toml(document: dict[str, Any]) -> str:
    return "\n".join(f"{key} = {_value(value)}" for key, value in document.items())


def _value(value: Any) -> str:
    if isinstance(value, dict):
        return "{" + ", ".join(f"{k} = {_value(v)}" for k, v in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(_value, value)) + "]"
    return f'"{value}"'


INSTANCE = """
[listen]
http_port = 8080
https_port = 8443
http_url = "http://ca.example.org"
https_url = "https://ca.example.org"
[database]
url_file = "secrets/database-url"
[signer]
vault = "vault"
journal = "journal"
socket = "run/signer.sock"
unseal_key_file = "secrets/unseal.key"
[tls]
certificate = "tls/server.pem"
key = "tls/server.key"
client_ca = "tls/ca-bundle.pem"
[audit]
directory = "audit"
origin = "ca.example.org"
[publication]
directory = "public"
"""


def test_in_the_file_paths_count_from_it_and_names_are_told_apart(tmp_path: Path) -> None:
    config = tmp_path / "chancery.toml"
    both = f"{INSTANCE}\n[[directories]]\n{_toml(DIRECTORY)}\n[[providers]]\n{_toml(PROVIDER)}\n"
    config.write_text(both)
    settings = load(config)
    assert settings.directories[0].ca_file == tmp_path / "ca.pem"
    assert settings.directories[0].bind_password_file == tmp_path / "reader.password"
    config.write_text(both.replace('"okta"', '"corp"'))
    with pytest.raises(BadRequest, match="same name"):
        load(config)
    config.write_text(both.replace('"okta"', '"okta"\nsuffix = "@x@corp"'))
    with pytest.raises(BadRequest, match="suffix"):
        load(config)
    config.write_text(both.replace('"okta"', '"okta"\nsuffix = "@corp"'))
    with pytest.raises(BadRequest, match="ends in that of another"):
        load(config)
