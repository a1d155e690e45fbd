"""Asking for certificates, one by one and by the thousand, and deciding with open eyes."""

import json
import os
import pty
import time
from pathlib import Path
from typing import Any

import pytest

from chancery.cli import review
from chancery.domain.shipped import DN_PROFILES, PROFILES
from chancery.wire import documents

from .conftest import Answer, Seen

CSR = "-----BEGIN CERTIFICATE REQUEST-----\nAAAA\n-----END CERTIFICATE REQUEST-----\n"
KEY = "-----BEGIN EC PRIVATE KEY-----\nAAAA\n-----END EC PRIVATE KEY-----\n"
PKCS8 = b"\x30\x81\x87\x02\x01\x00\x30\x13" + bytes(128)
PEM = "-----BEGIN CERTIFICATE-----\nBBBB\n-----END CERTIFICATE-----\n"
HOSTILE = "\x1b[2K\x1b[1A\x9b31mCN=admin\u202e\r"
STEERING = ("\x1b", "\x9b", "\u202e", "\r")


@pytest.fixture
def csr(tmp_path: Path) -> Path:
    path = tmp_path / "www.csr"
    path.write_text(CSR)
    return path


# One


def test_submit_prints_what_scripts_rely_on(server: Any, run: Any, csr: Path) -> None:
    server.on("POST", "/requests", Answer({"serial": "ab", "state": "pending", "id": "1"}, 201))

    finished = run("request", "submit", csr, "--profile", "tls-server", "--json")

    assert finished.json == {"id": "1", "state": "pending", "code": None, "serial": "ab"}
    assert list(finished.json)[:3] == ["id", "state", "code"]


def test_submit_anonymously(server: Any, run: Any, csr: Path) -> None:
    server.on("POST", "/requests", Answer({"id": "1", "state": "pending", "code": "C-O-D-E"}, 201))

    finished = run("request", "submit", csr, "--profile", "p", "--ra", "public", "--anonymous")

    assert "code: C-O-D-E" in finished.out
    assert "authorization" not in server.last.headers


def test_submit_der_and_stdin(server: Any, run: Any, tmp_path: Path) -> None:
    server.on("POST", "/requests", {"id": "1", "state": "issued", "certificate": PEM})
    (tmp_path / "a.der").write_bytes(b"\x30\x02\x30\x00")

    finished = run(
        *("request", "submit", tmp_path / "a.der", "--profile", "p"),
        *("--certificates", tmp_path, "--idempotency-key", "k1"),
    )

    assert server.last.json["csr"] == "MAIwAA=="
    assert server.last.headers["idempotency-key"] == "k1"
    assert (tmp_path / "a.pem").read_text() == PEM
    assert PEM in finished.out


@pytest.mark.parametrize(
    "argv",
    [
        [],
        ["{csr}", "--server-key", "ec-p256"],
        ["{csr}", "--bulk", "{csr}"],
        ["{csr}", "{csr}", "--idempotency-key", "k"],
        ["/nowhere.csr"],
    ],
)
def test_submit_asks_for_one_source(argv: list[str], run: Any, server: Any, csr: Path) -> None:
    words = [word.format(csr=csr) for word in argv]

    assert run("request", "submit", *words, "--profile", "p").code == 2
    assert server.seen == []


def test_several_files_go_on_after_a_failure(server: Any, run: Any, csr: Path) -> None:
    other = csr.with_name("bad.csr")
    other.write_text(CSR)
    server.on(
        "POST",
        "/requests",
        Answer({"detail": "weak", "field": "csr"}, 400),
        Answer({"id": "2", "state": "pending"}, 201),
    )

    finished = run("request", "submit", other, csr, "--profile", "p", "--json")

    assert finished.code == 3
    assert finished.json == [
        {"file": str(other), "error": {"detail": "weak", "field": "csr"}},
        {"file": str(csr), "id": "2", "state": "pending", "code": None},
    ]


# Many


def _bulk(seen: Seen) -> Answer:
    """Answer each line in order; a submission noted ``bad`` is refused."""
    lines = []
    for index, line in enumerate(seen.body.splitlines()):
        body = json.loads(line)
        if body.get("note") == "bad":
            lines.append({"index": index, "error": {"detail": HOSTILE}})
        else:
            name = body["names"][0] if "names" in body else body["profile"]
            lines.append({"index": index, "id": name, "state": "issued", "certificate": PEM})
    ndjson = b"".join(json.dumps(line).encode() + b"\n" for line in lines)
    return Answer(ndjson)


def test_bulk_keeps_the_order_across_batches(server: Any, run: Any, tmp_path: Path) -> None:
    server.on("POST", "/requests/bulk", _bulk)
    source = tmp_path / "many.ndjson"
    source.write_text("\n".join(json.dumps({"names": [f"dns:{n}"]}) for n in range(600)) + "\n")

    finished = run("request", "submit", "--bulk", source, "--profile", "p", "--json")

    assert (finished.code, finished.err) == (0, "")
    assert [(line["index"], line["id"]) for line in finished.lines] == [
        (n, f"dns:{n}") for n in range(600)
    ]
    assert len(server.seen) == 3
    assert {json.loads(line)["profile"] for line in server.last.body.splitlines()} == {"p"}
    assert server.last.headers["content-type"] == "application/x-ndjson"


def test_bulk_of_a_directory(server: Any, run: Any, tmp_path: Path) -> None:
    server.on("POST", "/requests/bulk", _bulk)
    source, target = tmp_path / "csrs", tmp_path / "certs"
    source.mkdir()
    target.mkdir()
    for name in ("b.csr", "a.pem", "README"):
        (source / name).write_text(CSR)

    finished = run(
        *("request", "submit", "--bulk", source, "--profile", "p", "--certificates", target)
    )

    assert finished.out == "a.pem: issued p\nb.csr: issued p\n"
    assert finished.err == "note: 2 accepted, 0 refused\n"
    assert sorted(path.name for path in target.iterdir()) == ["a.pem", "b.pem"]


def test_bulk_says_what_failed(server: Any, run: Any, tmp_path: Path) -> None:
    server.on("POST", "/requests/bulk", _bulk)
    source = tmp_path / "many.ndjson"
    source.write_text('{"note":"bad"}\n\n{"note":"good"}\n')

    finished = run("request", "submit", "--bulk", source, "--profile", "p")

    assert finished.code == 3
    assert "line 1: refused: \\x1b[2K" in finished.out
    assert "line 3: issued p" in finished.out
    assert not set(STEERING) & set(finished.out)


def test_bulk_can_be_resumed(server: Any, run: Any, tmp_path: Path) -> None:
    asked = []

    def once(seen: Seen) -> Answer:
        asked.append(seen)
        return _bulk(seen) if len(asked) == 1 else Answer({"detail": "away"}, 503)

    server.on("POST", "/requests/bulk", once)
    source = tmp_path / "many.ndjson"
    source.write_text("\n".join(json.dumps({"names": [f"dns:{n}"]}) for n in range(300)))

    stopped = run("request", "submit", "--bulk", source, "--profile", "p", "--json")
    assert stopped.code == 7
    assert len(stopped.lines) == 250
    assert "resume with --start 250" in stopped.err

    server.on("POST", "/requests/bulk", _bulk)
    rest = run("request", "submit", "--bulk", source, "--profile", "p", "--json", "--start", "250")
    assert [line["index"] for line in rest.lines] == list(range(250, 300))
    assert rest.lines[0]["id"] == "dns:250"


@pytest.mark.parametrize(
    "answer", [b"", b'{"index":1,"id":"x"}\n', b'{"index":0}\n{"index":1}\n', b"nonsense\n"]
)
def test_bulk_does_not_believe_answers_out_of_order(
    answer: bytes, server: Any, run: Any, tmp_path: Path
) -> None:
    server.on("POST", "/requests/bulk", Answer(answer))
    source = tmp_path / "many.ndjson"
    source.write_text("{}\n")

    assert run("request", "submit", "--bulk", source, "--profile", "p").code == 1


@pytest.mark.parametrize("line", ["nonsense", "[]", '"x"', "{" * 2_000, "x" * 300_000])
def test_bulk_names_a_bad_line(line: str, server: Any, run: Any, tmp_path: Path) -> None:
    source = tmp_path / "many.ndjson"
    source.write_text(line)

    finished = run("request", "submit", "--bulk", source, "--profile", "p")

    assert finished.code == 3
    assert finished.out.startswith("line 1: refused: line 1 is ")
    assert "(--bulk, bulk.line) — write one submission a line" in finished.out
    assert server.seen == []


def test_bulk_goes_on_after_a_bad_line(server: Any, run: Any, tmp_path: Path) -> None:
    server.on("POST", "/requests/bulk", _bulk)
    source = tmp_path / "many.ndjson"
    lines = [json.dumps({"names": [f"dns:{n}"]}) for n in range(4)]
    lines[1], lines[3] = "not JSON", json.dumps({"csr": KEY})
    source.write_text("\n".join(["x" * 600_000, *lines]))
    argv = ("request", "submit", "--bulk", source, "--profile", "p", "--json")

    finished = run(*argv)

    assert (finished.code, finished.err) == (3, "")
    assert [line["index"] for line in finished.lines] == [0, 1, 2, 3, 4]
    assert [line.get("id") for line in finished.lines] == [None, "dns:0", None, "dns:2", None]
    assert [line["error"]["rule"] for line in finished.lines if "error" in line] == [
        "bulk.line",
        "bulk.line",
        "pem.private-key",
    ]
    assert KEY.encode() not in server.last.body

    rest = run(*argv, "--start", "3")
    assert [(line["index"], line.get("id")) for line in rest.lines] == [(3, "dns:2"), (4, None)]


def test_bulk_says_field_rule_and_remedy(server: Any, run: Any, tmp_path: Path) -> None:
    problem = {"detail": "weak", "field": "csr", "rule": "key.size", "remedy": "use 3072 bits"}
    server.on("POST", "/requests/bulk", Answer(json.dumps({"index": 0, "error": problem}).encode()))
    source = tmp_path / "many.ndjson"
    source.write_text("{}\n")

    finished = run("request", "submit", "--bulk", source, "--profile", "p")

    assert finished.out == "line 1: refused: weak (csr, key.size) — use 3072 bits\n"


def test_a_certificate_that_cannot_be_kept_is_not_submitted_again(
    server: Any, run: Any, tmp_path: Path
) -> None:
    server.on("POST", "/requests/bulk", _bulk)
    source = tmp_path / "many.ndjson"
    source.write_text('{"names":["dns:a"]}\n{"names":["dns:b"]}\n')
    (tmp_path / "000000.pem").write_text("mine")

    finished = run(
        *("request", "submit", "--bulk", source, "--profile", "p", "--certificates", tmp_path)
    )

    assert finished.code == 6
    assert "resume with --start 1" in finished.err


def test_the_directory_for_certificates_is_made(server: Any, run: Any, csr: Path) -> None:
    server.on("POST", "/requests", {"id": "1", "state": "issued", "certificate": PEM})
    target = csr.parent / "new" / "certs"

    finished = run("request", "submit", csr, "--profile", "p", "--certificates", target)
    assert (finished.code, (target / "www.pem").read_text()) == (0, PEM)

    again = run("request", "submit", csr, "--profile", "p", "--certificates", csr)
    assert (again.code, len(server.seen)) == (2, 1)


# Private keys


@pytest.mark.parametrize("data", [KEY.encode(), CSR.encode() + KEY.encode(), PKCS8])
@pytest.mark.parametrize(
    "argv",
    [
        "request submit {file} --profile p",
        "request edit ID {file}",
        "certificate renew ab {file}",
        "ca cross-sign a {file}",
        "ca upload a {file}",
        "ca import a {file} --container c --offline",
        "user bind-certificate u {file}",
    ],
)
def test_a_private_key_stays_here(
    data: bytes, argv: str, server: Any, run: Any, tmp_path: Path
) -> None:
    (tmp_path / "mine").write_bytes(data)

    finished = run(*argv.format(file=tmp_path / "mine").split())

    assert finished.code == 2
    assert "nothing was sent" in finished.err
    assert server.seen == []


# Deciding


def _request(**more: Any) -> dict[str, Any]:
    return {
        "id": "1",
        "state": "pending",
        "profile": "tls-server",
        "requester": HOSTILE,
        "created_at": 1_777_636_800,
        "content_sha256": "ab" * 32,
        "approvals_needed": 2,
        "subject": f"CN={HOSTILE}",
        "names": [f"dns:{HOSTILE}"],
        "key_sha256": "cd" * 32,
        "key_algorithm": "ec-p256",
        "serial": "beef",
        "content": {
            "serial": "beef",
            "issuer": ["CN=Issuing"],
            "subject": [f"CN={HOSTILE}", "O=Example, Inc"],
            "key": {"algorithm": "ec-p256", "spki": "30"},
            "extensions": [
                {"oid": "2.5.29.17", "name": "subjectAltName", "critical": True}
                | {"value": [f"dns:{HOSTILE}", "dns:www.example.org"]},
                {"oid": "2.5.29.19", "name": "basicConstraints", "critical": False}
                | {"value": {"ca": False, "path_length": None}},
                {"oid": HOSTILE, "name": HOSTILE, "critical": False, "value": {HOSTILE: HOSTILE}},
            ],
            "validity": {"lasting_s": 90 * 86_400, "backdate_s": 60, "latest": 1_900_000_000}
            | {"after_issuer": "truncate"},
        },
        "approvals": [
            {"approver": "bob", "partner": "ann"}
            | {"content_sha256": "ab" * 32, "approved_at": 1_777_636_900},
            {"approver": "eve", "content_sha256": "00" * 32, "approved_at": 1_777_636_901},
        ],
        "notes": [{"author": HOSTILE, "written_at": 1_777_636_902, "text": HOSTILE}],
    } | more


def test_an_approver_sees_everything(server: Any, run: Any) -> None:
    server.on("GET", "/requests/1", _request())

    finished = run("request", "show", "1")

    assert finished.code == 0
    for text in (
        "state: pending",
        "created at: 2026-05-01T12:00:00Z (",
        "  subject:\n    CN=\\x1b[2K",
        "    O=Example, Inc\n",
        (
            "  validity: 90 days from the moment of signing, begun 1 minute earlier, "
            "but never past 2030-03-17T17:46:40Z"
        ),
        "  subjectAltName 2.5.29.17 (critical):\n    dns:\\x1b",
        "    dns:www.example.org\n",
        "    ca: no\n",
        "  serial: beef\n",
        "  key sha256: cdcd",
        "content sha256: abab",
        "approvals: 1 of 2\n  bob with ann 2026-05-01T12:01:40Z\n",
        "eve 2026-05-01T12:01:41Z (of other content: does not count)",
        "note by \\x1b",
    ):
        assert text in finished.out
    assert not set(STEERING) & set(finished.out)


@pytest.mark.parametrize("as_json", [[], ["--json"]])
def test_no_list_lets_escapes_through(as_json: list[str], server: Any, run: Any) -> None:
    page = {"items": [_request(), {HOSTILE: HOSTILE, "names": [HOSTILE]}], "next": None}
    server.on("GET", "/requests", page)
    server.on("GET", "/certificates/ab", _request() | {"nested": {"a": [{"b": HOSTILE}]}})

    for argv in (("request", "list"), ("certificate", "show", "ab")):
        finished = run(*argv, *as_json)
        assert finished.code == 0
        assert not set(STEERING) & set(finished.out)


def test_approve_several(server: Any, run: Any) -> None:
    server.on("POST", "/requests/1/approve", {"id": "1", "state": "issued", "serial": "ab"})
    server.on("POST", "/requests/2/approve", Answer({"detail": "denied before"}, 409))
    server.on("POST", "/requests/3/approve", {"id": "3", "state": "pending"})

    finished = run("request", "approve", "1", "2", "3")

    assert finished.code == 3
    assert finished.out == "1 issued serial ab\n3 pending\n"
    assert finished.err == "2: error: denied before\n"


def test_approve_tells_how_many_are_missing(server: Any, run: Any) -> None:
    server.on("POST", "/requests/1/approve", {"id": "1", "state": "pending", "approvals_needed": 2})
    server.on("GET", "/requests/1", _request())

    assert run("request", "approve", "1").out == "1 pending 1 of 2 approvals\n"


def test_approve_one_fails_with_its_own_code(server: Any, run: Any) -> None:
    server.on("POST", "/requests/2/approve", Answer({"detail": "denied before"}, 409))

    assert run("request", "approve", "2").code == 6


def test_review_needs_a_person(server: Any, run: Any) -> None:
    server.on("GET", "/requests/1", _request())

    finished = run("request", "approve", "1", "--review")

    assert finished.code == 2
    assert [seen.method for seen in server.seen] == ["GET"]


@pytest.mark.parametrize(("typed", "sha256"), [("y", "ab" * 32), ("n", None), ("", None)])
def test_review_binds_what_was_shown(
    typed: str, sha256: str | None, monkeypatch: pytest.MonkeyPatch, capsys: Any
) -> None:
    master, slave = pty.openpty()
    with os.fdopen(master, "wb", buffering=0) as keyboard, os.fdopen(slave) as terminal:
        monkeypatch.setattr("sys.stdin", terminal)
        keyboard.write(typed.encode() + b"\n")
        assert review.confirmed(_request()) == sha256
    assert "subjectAltName" in capsys.readouterr().out


# Lists


def test_pages_are_followed(server: Any, run: Any) -> None:
    def page(seen: Seen) -> Answer:
        first, size = int(seen.query.get("cursor", 0)), int(seen.query["limit"])
        items = [{"id": str(n)} for n in range(first, min(first + size, 1_200))]
        return Answer({"items": items, "next": str(first + size) if first + size < 1_200 else None})

    server.on("GET", "/requests", page)

    everything = run("request", "list", "--all", "--json")
    assert [item["id"] for item in everything.json] == [str(n) for n in range(1_200)]
    assert [seen.query.get("cursor") for seen in server.seen] == [None, "500", "1000"]

    some = run("request", "list", "--limit", "700", "--json")
    assert len(some.json) == 700
    assert "only the first 700 are shown" in some.err

    none = run("request", "list", "--limit", "1200", "--json")
    assert (len(none.json), none.err) == (1_200, "")


def test_an_empty_list_is_a_list(server: Any, run: Any) -> None:
    server.on("GET", "/requests", {"items": [], "next": None})

    assert run("request", "list", "--json").out == "[]\n"


def test_a_table_reads_well(server: Any, run: Any) -> None:
    item = {"id": "1", "state": "pending", "profile": "p", "subject": "CN=x", "requester": "u"}
    item["approvals_needed"] = 2
    server.on("GET", "/requests", {"items": [item | {"created_at": int(time.time()) - 7_200}]})

    head, row = run("request", "list").out.splitlines()

    titles = ["ID", "STATE", "APPROVALS", "NEEDED", "PROFILE", "SUBJECT", "REQUESTER", "CREATED"]
    assert head.split() == [*titles, "AT"]
    assert row.split()[:6] == ["1", "pending", "2", "p", "CN=x", "u"]
    assert "(2 hours ago)" in row


def test_audit_pages_by_number(server: Any, run: Any) -> None:
    def page(seen: Seen) -> Answer:
        top = int(seen.query.get("before", 1_200))
        size = int(seen.query["limit"])
        return Answer({"items": [{"seq": n} for n in range(top - 1, max(top - size, 0) - 1, -1)]})

    server.on("GET", "/audit", page)

    assert [r["seq"] for r in run("audit", "list", "--all", "--json").json] == [
        *range(1_199, -1, -1)
    ]
    assert run("audit", "show", "7", "--json").json == {"seq": 7}
    assert run("audit", "list", "--since", "2026-05-01", "--json").code == 0
    assert server.last.query["since_ms"] == "1777593600000"


def test_tree(server: Any, run: Any) -> None:
    items = [
        {"name": "root", "parent": None, "state": "active"},
        {"name": "sub", "parent": "root", "state": "disabled", "subject": HOSTILE},
        {"name": "orphan", "parent": "gone"},
    ]
    server.on("GET", "/authorities", {"items": items, "next": None})

    drawn = run("ca", "tree")
    assert "root  active" in drawn.out
    assert "└── sub  disabled  \\x1b" in drawn.out
    assert [one["name"] for one in run("ca", "tree", "--json").json] == ["root", "orphan"]


def test_profile_diff(server: Any, run: Any) -> None:
    versions = [{"version": n, "profile": {"name": "p", "approvals": n}} for n in (1, 2, 3)]
    server.on("GET", "/profiles/p/versions", versions)
    server.on("GET", "/profiles/p/diff", [{"field": "approvals", "old": "2", "new": "3"}])

    finished = run("profile", "diff", "p")

    assert finished.out.splitlines()[1].split() == ["approvals", "2", "3"]
    assert server.seen[-1].query == {"old": "2", "new": "3"}
    assert run("profile", "diff", "p", "1", "3", "--json").json["from"] == "p version 1"
    server.on("GET", "/ras/r/versions", [{"version": 1, "document": {"name": "r"}}])
    assert "--file" in run("ra", "diff", "r").err
    assert run("ra", "show", "r", "--version", "1", "--json").json == {"name": "r"}
    assert run("ra", "show", "r", "--version", "2").code == 2


def test_what_is_dangerous_is_said_and_accepted(server: Any, run: Any, tmp_path: Path) -> None:
    (tmp_path / "ra.json").write_text(json.dumps({"name": "r"}))
    risk = {"id": "wildcard", "severity": "warn", "about": "r", "field": "san[0]", "reason": "wide"}
    server.on("PUT", "/ras/r", {"name": "r"})
    server.on("GET", "/ras/r/risks", [risk, risk | {"severity": "note"}])

    finished = run("ra", "put", tmp_path / "ra.json", "--accept-risk", "a=for a reason")

    assert finished.err == "note: warn wildcard: wide\n"
    refused = run("ra", "put", tmp_path / "ra.json", "--accept-risk", "no reason")
    assert (refused.code, "--accept-risk" in refused.err) == (2, True)
    server.on("GET", "/ras/r", {"name": "r", "disabled": False})
    assert run("ra", "disable", "r", "--accept-risk", "a=b", "--json").code == 0
    assert json.loads(server.last.body) == {
        "name": "r", "disabled": True, "accept_risks": {"a": "b"},
    }  # fmt: skip


def test_a_dry_run_and_a_check_for_people(server: Any, run: Any, tmp_path: Path) -> None:
    (tmp_path / "p.json").write_text(json.dumps({"version": 3, "profile": {"name": "p"}}))
    fault = {"detail": "outside", "field": "names", "rule": "name.suffix", "remedy": "stay in"}
    change = {"field": "validity_s", "old": "90 days", "new": "1 day"}
    trial = {"id": "1", "created_at": 1, "requester": "rita", "subject": "CN=x", "profile": "p"}
    trials = [
        trial | {"outcome": "refused", "changes": [], "refusal": fault},
        trial | {"outcome": "changed", "changes": [change], "refusal": None},
    ]
    server.on("POST", "/profiles/p/dry-run", {"counts": {"refused": 1}, "trials": trials})
    out = run("profile", "try", tmp_path / "p.json").out
    assert out.startswith("1 refused\n")
    assert "outside (names, name.suffix) — stay in" in out
    assert "validity_s: 90 days -> 1 day" in out
    seen = {
        "faults": [fault], "risks": [], "lint": ["odd"], "changes": [change],
        "certificate": {"subject": ["CN=x"]},
    }  # fmt: skip
    server.on("POST", "/profiles/p/preview", seen)
    out = run("profile", "check", tmp_path / "p.json").out
    for said in ("refused: outside", "lint: odd", "validity_s  90 days  1 day", "CN=x"):
        assert said in out


def test_rules_are_tables(server: Any, run: Any) -> None:
    dn = next(profile for profile in DN_PROFILES if profile.name == "tls")
    server.on("GET", "/dn-profiles/tls", documents.to_builtin(dn))
    server.on("PUT", "/dn-profiles/tls", documents.to_builtin(dn))
    profile = next(profile for profile in PROFILES if profile.name == "tls-client")
    server.on("GET", "/profiles/p", {"version": 1, "profile": documents.to_builtin(profile)})

    shown = run("dn-profile", "show", "tls").out.splitlines()
    head = next(line for line in shown if line.startswith("ATTRIBUTE"))
    assert head.split() == ["ATTRIBUTE", "REQUIRED", "SOURCE", "EDITABLE", "LENGTH", "SYNTAX"]
    (common_name,) = [line for line in shown if line.startswith("CN ")]
    assert common_name.split() == ["CN", "no", "csr", "yes", "1", "to", "64", "UTF8String"]

    shown = run("profile", "show", "p").out
    assert "extended key usage: clientAuth\n" in shown
    assert "dns" in shown[shown.index("KIND") :]
    assert "from csr yes" not in shown
