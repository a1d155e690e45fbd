"""An instance whose people come from a directory: the command line, the API, and an outage."""

import base64
import json
import ssl
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from vouching import directory_settings, provider_settings

from services.csr import p256_csr
from services.foreign import wait_for
from services.instance import Instance
from services.oidc_provider import Provider
from services.slapd import Slapd, dn_of, group_dn, password_of


@pytest.fixture(scope="module")
def served(
    tmp_path_factory: pytest.TempPathFactory, directory_server: Slapd, openid_provider: Provider
) -> Iterator[Instance]:
    folder = tmp_path_factory.mktemp("directory")
    made = Instance.create(folder / "instance")
    with (made.directory / "chancery.toml").open("a") as file:
        file.write(directory_settings(directory_server, folder))
        file.write(provider_settings(openid_provider, folder))
    with made.serving():
        yield made


def as_user(instance: Instance, name: str, path: str, body: Any = None) -> tuple[int, Any]:
    """Call the API with HTTP Basic."""
    login = name.partition("@")[0]
    pair = base64.b64encode(f"{name}:{password_of(login)}".encode()).decode()
    request = urllib.request.Request(
        f"{instance.facts['https']}/api/v1{path}",
        data=None if body is None else json.dumps(body).encode(),
        headers={"Authorization": f"Basic {pair}", "Content-Type": "application/json"},
    )
    context = ssl.create_default_context(cafile=instance.facts["ca_bundle"])
    try:
        with urllib.request.urlopen(request, timeout=30, context=context) as answer:
            return answer.status, json.load(answer)
    except urllib.error.HTTPError as error:
        with error:
            return error.code, json.load(error)


def test_the_command_line_shows_and_tries_them(served: Instance) -> None:
    (directory,) = served.json("directory", "list", user="admin")
    assert (directory["name"], directory["suffix"]) == ("corp", "@corp")
    tried = served.json("directory", "check", "corp", "--user", "bob", user="admin")
    assert [one["well"] for one in tried["servers"]] == [True, True]
    assert tried["person"]["account"] == "bob@corp"
    assert tried["person"]["roles"] == ["ra-officer", "requester"]
    (provider,) = served.json("provider", "list", user="admin")
    assert provider["redirect_uri"].endswith("/console/sign-in/provider/op/return")
    assert served.json("provider", "check", "op", user="admin")[0]["well"]
    refused = served.run("directory", "check", "corp", user="officer1")
    assert refused.returncode == 5


def test_config_check_looks_at_files_and_asks_on_demand(
    served: Instance, directory_server: Slapd, tmp_path: Path
) -> None:
    config = served.directory / "chancery.toml"
    done = served.run("config", "check", "--config", str(config), "--connect")
    assert done.returncode == 0, done.stdout + done.stderr
    text = config.read_text()
    other = config.with_name("other.toml")
    other.write_text(text.replace(str(directory_server.ca_file), str(tmp_path / "none.pem")))
    done = served.run("config", "check", "--config", str(other))
    assert "directories.corp.ca_file" in done.stdout
    other.write_text(text.replace("cn=reader", "cn=writer"))
    assert served.run("config", "check", "--config", str(other)).returncode == 0
    done = served.run("config", "check", "--config", str(other), "--connect")
    assert "refuses the password of cn=writer" in done.stdout
    other.unlink()


def test_somebody_of_the_directory_asks_and_decides(
    served: Instance, directory_server: Slapd
) -> None:
    status, me = as_user(served, "alice", "/me")
    assert status == 200
    assert (me["name"], me["groups"]) == ("alice@corp", ["officers"])
    body = {"profile": "tls-server", "ra": "main", "csr": p256_csr("ldap.example.org")}
    asked = served.json(
        "request", "submit", str(_file(served, body["csr"])), "--profile", "tls-server",
        user="requester",
    )  # fmt: skip
    status, decided = as_user(served, "alice@corp", f"/requests/{asked['id']}/approve", {})
    assert status == 200, decided
    shown = served.json("user", "show", "alice@corp", user="admin")
    assert (shown["directory"], shown["has_password"]) == ("corp", False)
    assert as_user(served, "carol", "/me")[0] == 200
    assert as_user(served, "twin", "/me")[0] == 401


def _file(instance: Instance, csr: str) -> Path:
    path = instance.directory.parent / "ldap.csr"
    path.write_text(csr)
    return path


def test_a_token_waits_while_the_directory_is_away_and_goes_with_the_group(
    served: Instance, directory_server: Slapd
) -> None:
    status, made = as_user(served, "bob", "/session/token", {"label": "robot"})
    assert status == 201
    token = made["token"]

    def decides() -> int:
        request = urllib.request.Request(
            f"{served.facts['https']}/api/v1/requests/none/deny",
            data=b'{"reason": "x"}',
            headers={"Authorization": f"Bearer {token}", "Content-Type": "application/json"},
        )
        context = ssl.create_default_context(cafile=served.facts["ca_bundle"])
        try:
            urllib.request.urlopen(request, timeout=30, context=context)
        except urllib.error.HTTPError as error:
            with error:
                return error.code
        raise AssertionError("there is no such request")

    assert decides() == 404
    with directory_server.away():
        wait_for(lambda: decides() == 503, seconds=20, what="the word of the directory to age")
        assert served.run("whoami", user="admin").returncode == 0  # local accounts go on
    wait_for(lambda: decides() == 404, seconds=30, what="the directory to be asked again")
    directory_server.leave(group_dn("Seniors"), dn_of("Bob"))
    try:
        wait_for(lambda: decides() == 403, seconds=20, what="the group to be gone")
    finally:
        directory_server.join(group_dn("Seniors"), dn_of("Bob"))
    wait_for(lambda: decides() == 404, seconds=20, what="the group to be back")
