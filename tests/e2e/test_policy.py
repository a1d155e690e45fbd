"""Policy through the doors: versions, differences, risks, previews, dry runs."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from services.csr import p256_csr
from services.instance import Instance
from services.rest import Rest

REASON = "nothing trusts the CA of a test"


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Instance]:
    with Instance.create(tmp_path_factory.mktemp("policy") / "instance").serving() as instance:
        instance.automatic_ra("automatic")
        yield instance


@pytest.fixture
def admin(served: Instance) -> Rest:
    return Rest(served, "admin")


def clients(**changes: Any) -> dict[str, Any]:
    return {
        "name": "clients",
        "profiles": ["tls-client"],
        "authorities": ["issuing-ca"],
        "approval_group": "officers",
        "approvals": 0,
        "anonymous": False,
    } | changes


def test_a_dangerous_authority_is_refused_and_then_answered_for(
    served: Instance, admin: Rest, tmp_path: Path
) -> None:
    refused = admin("PUT", "/ras/clients", clients())
    assert (refused.status, refused.rule) == (400, "risk.esc1-requester-names")
    assert refused.body["field"] == "ra.approvals"
    file = tmp_path / "clients.json"
    file.write_text(json.dumps(clients()))
    checked = served.run("ra", "check", str(file), user="requester")
    assert "esc1-requester-names" in checked.stdout
    done = served.run(
        "ra", "put", str(file), "--accept-risk", f"esc1-requester-names={REASON}", user="admin"
    )
    assert done.returncode == 0, done.stderr
    assert "esc1-requester-names" in done.stderr
    (block,) = [
        one for one in admin("GET", "/ras/clients/risks").body if one["severity"] == "block"
    ]
    assert (block["accepted"], block["accepted_by"]) == (REASON, "admin")
    assert admin("PUT", "/ras/clients", clients(approvals=1)).status == 200
    assert admin("GET", "/ras/clients/diff?old=1&new=2").body == [
        {"field": "approvals", "old": "0", "new": "1"}
    ]
    assert [one["version"] for one in admin("GET", "/ras/clients/versions").body] == [1, 2]
    shown = served.json("ra", "show", "clients", "--version", "1", user="admin")
    assert shown["approvals"] == 0
    served.json("ra", "disable", "clients", user="admin")
    asked = Rest(served, "requester").submit(
        p256_csr("x.example.org"), ra="clients", profile="tls-client"
    )
    assert (asked.status, asked.rule) == (409, "ra.disabled")
    assert admin("DELETE", "/ras/clients").status == 204


def test_a_quota_is_told_as_such(served: Instance, admin: Rest) -> None:
    ra = clients(name="few", profiles=["tls-server"], daily_per_requester=1)
    assert admin("PUT", "/ras/few", ra).status == 200
    requester = Rest(served, "requester")
    assert requester.submit(p256_csr("a.example.org"), ra="few").status == 201
    second = requester.submit(p256_csr("b.example.org"), ra="few")
    assert (second.status, second.rule) == (429, "ra.quota-daily")
    csr_file = served.directory.parent / "few.csr"
    csr_file.write_text(p256_csr("c.example.org"))
    done = served.run(
        "request", "submit", str(csr_file), "--profile", "tls-server", "--ra", "few",
        user="requester",
    )  # fmt: skip
    assert (done.returncode, "come back tomorrow" in done.stderr) == (7, True)


def test_a_profile_is_previewed_tried_and_compared(
    served: Instance, admin: Rest, tmp_path: Path
) -> None:
    for host in ("www.corp.example", "www.example.org"):
        asked = Rest(served, "requester").submit(p256_csr(host), ra="automatic")
        assert asked.status == 201, asked
    profile = admin("GET", "/profiles/tls-server").body["profile"]
    narrow = profile | {"san": [{"kind": "dns", "suffixes": [".corp.example"]}]}
    seen = admin("POST", "/profiles/tls-server/preview?full=true", narrow).body
    assert (seen["faults"], seen["lint"]) == ([], [])
    assert "CN=www.corp.example" in seen["certificate"]["subject"]
    assert {change["field"] for change in seen["changes"]} == {"san[dns].suffixes", "san[ip]"}
    run = admin("POST", "/profiles/tls-server/dry-run", narrow).body
    fates = {trial["subject"]: trial["outcome"] for trial in run["trials"]}
    assert fates["CN=www.corp.example"] == "same"
    assert fates["CN=www.example.org"] == "refused"
    file = tmp_path / "narrow.json"
    file.write_text(json.dumps(narrow))
    tried = served.run("profile", "try", str(file), "--last", "1", user="admin")
    assert "outside the allowed domains" in tried.stdout
    assert Rest(served, "requester")("POST", "/profiles/x/dry-run", narrow).status == 403
    wild = {"name": "wild", "san": [{"kind": "dns", "wildcards": True}], "extended_key_usage":
            profile["extended_key_usage"]}  # fmt: skip
    refused = admin("PUT", "/profiles/wild", wild)
    assert refused.body["field"] == "profile.san[0].wildcards"
    made = admin("PUT", "/profiles/wild", wild | {"accept_risks": {"wildcard-unbounded": REASON}})
    assert made.status == 200, made
    assert admin("GET", "/profiles/tls-server").body["version"] == 1  # tried, not written


def test_a_dn_profile_has_versions_too(served: Instance, admin: Rest) -> None:
    tls = admin("GET", "/dn-profiles/tls").body
    changed = tls | {"uniqueness": "subject"}
    seen = admin("POST", "/dn-profiles/tls/preview?within=tls-server", changed).body
    assert [change["field"] for change in seen["changes"]] == ["uniqueness"]
    assert admin("POST", "/dn-profiles/tls/dry-run?last=5", changed).status == 200
    copy = changed | {"name": "tls-copy"}
    assert admin("PUT", "/dn-profiles/tls-copy", copy).status == 200
    assert admin("PUT", "/dn-profiles/tls-copy", copy | {"description": "new"}).status == 200
    diff = served.json("dn-profile", "diff", "tls-copy", user="admin")
    assert [change["field"] for change in diff["changes"]] == ["description"]
    assert admin("GET", "/dn-profiles/tls-copy/risks").body == []
    assert admin("GET", "/dn-profiles/tls-copy/diff?old=1&new=9").status == 404
