"""What each command asks of the server: method, path, query, body, and nothing else."""

import json
from pathlib import Path
from typing import Any

import pytest

from chancery.cli.application import build

CSR = "-----BEGIN CERTIFICATE REQUEST-----\nAAAA\n-----END CERTIFICATE REQUEST-----\n"
SERIAL = "0x00:AB:CD"
HASH = "ab" * 32
PAGE = {"items": [], "next": None}
PROOF = {"password": "correct horse"}

# argv, method, path below /api/v1, query, body
MINE = {"name": "mine"}
CASES: list[tuple[str, str, str, dict[str, str], Any]] = [
    ("whoami", "GET", "/me", {}, None),
    # requests
    ("request submit {csr} --profile p", "POST", "/requests", {}, {"profile": "p", "csr": CSR}),
    (
        (
            "request submit --server-key ec-p256 --profile p --ra r --authority a --days 7 --note hi"
            " --names www.example.org,10.0.0.1 --name a@example.org --subject CN=x,O=y"
            " --extension 1.2.3=0500"
        ),
        "POST",
        "/requests",
        {},
        {
            "profile": "p",
            "ra": "r",
            "authority": "a",
            "server_key": "ec-p256",
            "days": 7,
            "note": "hi",
            "names": ["dns:www.example.org", "ip:10.0.0.1", "email:a@example.org"],
            "subject": {"CN": "x", "O": "y"},
            "extensions": {"1.2.3": "0500"},
        },
    ),
    ("request edit ID --days 9", "PATCH", "/requests/ID", {}, {"days": 9}),
    ("request edit ID {csr}", "PATCH", "/requests/ID", {}, {"csr": CSR}),
    ("request show ID", "GET", "/requests/ID", {}, None),
    ("request show ID --code C", "GET", "/requests/ID", {"code": "C"}, None),
    (
        "request list --state pending --ra r --profile p --authority a --requester u --subject s*",
        "GET",
        "/requests",
        {"state": "pending", "ra": "r", "profile": "p", "authority": "a", "requester": "u"}
        | {"subject": "s*", "limit": "101"},
        None,
    ),
    ("request approve ID", "POST", "/requests/ID/approve", {}, {}),
    (
        f"request approve ID --content-sha256 {HASH.upper()}",
        "POST",
        "/requests/ID/approve",
        {},
        {"content_sha256": HASH},
    ),
    ("request deny ID --reason no", "POST", "/requests/ID/deny", {}, {"reason": "no"}),
    ("request withdraw ID", "POST", "/requests/ID/withdraw", {}, None),
    ("request note ID text", "POST", "/requests/ID/notes", {}, {"text": "text"}),
    ("request delete ID", "DELETE", "/requests/ID", {}, None),
    ("request download ID --format p7", "GET", "/requests/ID/download", {"format": "p7"}, None),
    # certificates
    (
        (
            "certificate list --status held --authority a --profile p --requester u --subject s"
            f" --name n --serial AB --key-sha256 {HASH.upper()} --expires-before 1900000000"
            " --expires-after 2026-05-01 --limit 7"
        ),
        "GET",
        "/certificates",
        {"status": "held", "authority": "a", "profile": "p", "requester": "u", "subject": "s"}
        | {"name": "n", "serial": "ab", "key_sha256": HASH, "expires_before": "1900000000"}
        | {"expires_after": "1777593600", "limit": "8"},
        None,
    ),
    (
        f"certificate list --search www --sha256 {HASH.upper()}",
        "GET",
        "/certificates",
        {"search": "www", "sha256": HASH, "limit": "101"},
        None,
    ),
    (
        f"certificate hold {SERIAL} --comment lost",
        "POST",
        "/certificates/abcd/hold",
        {},
        {"comment": "lost"},
    ),
    (
        f"certificate revoke {SERIAL} --reason superseded --comment why",
        "POST",
        "/certificates/abcd/revoke",
        {},
        {"reason": "superseded", "comment": "why"},
    ),
    # looking
    ("request queues", "GET", "/requests/queues", {"limit": "500"}, None),
    ("request review ID --full", "GET", "/requests/ID/review", {"full": "true"}, None),
    (
        f"certificate history {SERIAL} --authority a",
        "GET",
        "/certificates/abcd/history",
        {"authority": "a"},
        None,
    ),
    # searches
    ("filter list requests", "GET", "/filters/requests", {"limit": "500"}, None),
    (
        "filter save certificates mine status=held",
        "PUT",
        "/filters/certificates/mine",
        {},
        {"query": "status=held"},
    ),
    ("filter delete certificates mine", "DELETE", "/filters/certificates/mine", {}, None),
    (f"certificate show {SERIAL}", "GET", "/certificates/abcd", {}, None),
    (
        f"certificate download {SERIAL} --format der --authority a",
        "GET",
        "/certificates/abcd/download",
        {"format": "der", "authority": "a"},
        None,
    ),
    (
        (
            f"certificate revoke {SERIAL} --reason keyCompromise --authority a"
            " --invalidity-date 2026-05-01"
        ),
        "POST",
        "/certificates/abcd/revoke",
        {},
        {"reason": "keyCompromise", "authority": "a", "invalidity_date": 1777593600},
    ),
    (f"certificate revoke {SERIAL} --reason hold", "POST", "/certificates/abcd/hold", {}, {}),
    (f"certificate hold {SERIAL}", "POST", "/certificates/abcd/hold", {}, {}),
    (f"certificate release {SERIAL}", "POST", "/certificates/abcd/release", {}, {}),
    (f"certificate renew {SERIAL}", "POST", "/certificates/abcd/renew", {}, {}),
    (f"certificate renew {SERIAL} {{csr}}", "POST", "/certificates/abcd/renew", {}, {"csr": CSR}),
    (
        f"certificate renew {SERIAL} --server-key",
        "POST",
        "/certificates/abcd/renew",
        {},
        {"server_key": True},
    ),
    (f"certificate lint {SERIAL}", "GET", "/certificates/abcd/lint", {}, None),
    # revocation lists
    ("portal profiles", "GET", "/portal/profiles", {"limit": "500"}, None),
    (
        "portal recipe p --ra r --key ec-p256 --names a.example.org,10.0.0.1 --subject O=x",
        "GET",
        "/portal/profiles/p/recipe",
        {"ra": "r", "key": "ec-p256", "names": "ip:10.0.0.1", "subject": "O=x"},
        None,
    ),
    (
        "portal check {csr} --profile p --ra r --days 9",
        "POST",
        "/portal/check",
        {},
        {"profile": "p", "ra": "r", "days": 9, "csr": CSR},
    ),
    ("portal requests --code C", "GET", "/portal/requests", {"code": "C", "limit": "500"}, None),
    ("portal authorities", "GET", "/portal/authorities", {"limit": "500"}, None),
    ("portal bundle", "GET", "/portal/bundle", {"format": "pem"}, None),
    (
        "revocation challenge {csr} --reason superseded",
        "POST",
        "/revocations/challenge",
        {},
        {"certificate": CSR, "reason": "superseded"},
    ),
    (
        "revocation prove {csr} --line x",
        "POST",
        "/revocations/proof",
        {},
        {"line": "x", "signature": CSR},
    ),
    (
        "revocation ask ID --code C --reason superseded --note hi",
        "POST",
        "/revocations/requests/ID",
        {"code": "C"},
        {"reason": "superseded", "note": "hi"},
    ),
    (
        "revocation list --state open",
        "GET",
        "/revocations",
        {"state": "open", "limit": "101"},
        None,
    ),
    ("revocation show ID", "GET", "/revocations/ID", {}, None),
    (
        "revocation accept ID --reason keyCompromise",
        "POST",
        "/revocations/ID/accept",
        {},
        {"reason": "keyCompromise"},
    ),
    (
        "revocation refuse ID --reason no",
        "POST",
        "/revocations/ID/refuse",
        {},
        {"reason": "no"},
    ),
    ("crl issue --ca a", "POST", "/authorities/a/crl", {}, None),
    ("crl show --ca a", "GET", "/authorities/a/crl", {}, None),
    ("crl list --ca a", "GET", "/authorities/a/crls", {"limit": "500"}, None),
    ("ocsp show --ca a", "GET", "/ocsp/a", {}, None),
    ("ocsp list", "GET", "/ocsp", {"limit": "500"}, None),
    ("crl publication", "GET", "/publication", {}, None),
    ("crl retry s3", "POST", "/publication/s3/retry", {}, None),
    (
        (
            "ca edit a --crl-delta-minutes 60 --crl-on-revocation delta --crl-shards 0"
            " --crl-jitter-minutes 5 --crl-ca-list --crl-indirect none"
        ),
        "PATCH",
        "/authorities/a",
        {},
        {
            "crl_delta_every_s": 3600,
            "crl_on_revocation": "delta",
            "crl_shards": 0,
            "crl_jitter_s": 300,
            "crl_ca_list": True,
            "crl_indirect": [],
        },
    ),
    ("crl upload {csr} --ca a", "POST", "/authorities/a/crl/upload", {}, {"crl": CSR}),
    # authorities
    ("ca list", "GET", "/authorities", {"limit": "500"}, None),
    ("ca tree", "GET", "/authorities", {"limit": "500"}, None),
    ("ca show a", "GET", "/authorities/a", {}, None),
    ("ca delete a", "DELETE", "/authorities/a", {}, None),
    (
        (
            "ca create sub --container c --subject CN=Sub --parent root --key-algorithm ec-p384"
            " --days 100 --path-length 0 --permitted dns:example.org --security-level high"
            " --silo s --region r --crl-hours 48 --crl-every-hours 12"
        ),
        "POST",
        "/authorities",
        {},
        {
            "name": "sub",
            "container": "c",
            "subject": "CN=Sub",
            "parent": "root",
            "key_algorithm": "ec-p384",
            "security_level": "high",
            "silo": "s",
            "region": "r",
            "crl_lifetime_s": 172800,
            "crl_every_s": 43200,
            "extensions": {
                "days": 100,
                "path_length": 0,
                "name_constraints": {"permitted": ["dns:example.org"], "excluded": []},
            },
        },
    ),
    (
        "ca import old {csr} --container c --offline",
        "POST",
        "/authorities/import",
        {},
        {"name": "old", "container": "c", "certificate": CSR, "offline": True},
    ),
    ("ca certificates a", "GET", "/authorities/a/certificates", {"limit": "500"}, None),
    ("ca csr a", "GET", "/authorities/a/csr", {}, None),
    (
        "ca upload a {csr}",
        "POST",
        "/authorities/a/certificate",
        {},
        {"certificate": CSR},
    ),
    ("ca renew a --days 5", "POST", "/authorities/a/renew", {}, {"days": 5}),
    (
        "ca cross-sign a {csr} --path-length 1",
        "POST",
        "/authorities/a/cross-sign",
        {},
        {"certificate": CSR, "path_length": 1},
    ),
    (
        "ca renew a --new-key --key-algorithm ec-p384 --path-length 0",
        "POST",
        "/authorities/a/renew",
        {},
        {"new_key": True, "key_algorithm": "ec-p384", "path_length": 0},
    ),
    ("ca cancel-takeover a", "POST", "/authorities/a/cancel-takeover", {}, {}),
    (
        "ca renew a --new-key --takes-over 2027-01-01",
        "POST",
        "/authorities/a/renew",
        {},
        {"new_key": True, "takes_over": 1_798_761_600},
    ),
    ("ca pending", "GET", "/pending-certificates", {"limit": "500"}, None),
    (
        f"ca approve P --tbs-sha256 {HASH.upper()}",
        "POST",
        "/pending-certificates/P/approve",
        {},
        {"tbs_sha256": HASH},
    ),
    (
        "ca reject P --reason no",
        "POST",
        "/pending-certificates/P/reject",
        {},
        {"reason": "no"},
    ),
    (
        "ca edit a --crl-hours 48 --crl-idp full --crl-url http://c.example.org/{{ca}}.crl",
        "PATCH",
        "/authorities/a",
        {},
        {
            "crl_lifetime_s": 172_800,
            "crl_idp": "full",
            "crl_urls": ["http://c.example.org/{ca}.crl"],
        },
    ),
    ("ca disable a", "POST", "/authorities/a/disable", {}, {}),
    ("ca enable a", "POST", "/authorities/a/enable", {}, {}),
    ("ca export a --format chain", "GET", "/authorities/a/export", {"format": "chain"}, None),
    ("vault list", "GET", "/vaults", {"limit": "500"}, None),
    ("vault show hsm", "GET", "/vaults/hsm", {}, None),
    ("vault test hsm", "POST", "/vaults/hsm/test", {}, None),
    ("vault self-test", "POST", "/signer/self-test", {}, None),
    (
        "ca renew a --new-key --vault hsm",
        "POST",
        "/authorities/a/renew",
        {},
        {"new_key": True, "vault": "hsm"},
    ),
    ("container list", "GET", "/containers", {"limit": "500"}, None),
    (
        "container create c --owner-group g",
        "POST",
        "/containers",
        {},
        {"name": "c", "owner_group": "g"},
    ),
    # rules
    ("profile list", "GET", "/profiles", {"limit": "500"}, None),
    ("profile show p --version 2", "GET", "/profiles/p", {"version": "2"}, None),
    ("profile put {rule}", "PUT", "/profiles/mine", {}, {"name": "mine"}),
    ("profile versions p", "GET", "/profiles/p/versions", {"limit": "500"}, None),
    ("profile diff p --file {rule}", "POST", "/profiles/p/preview", {}, {"name": "p"}),
    ("profile risks p", "GET", "/profiles/p/risks", {}, None),
    ("profile check {rule} --full", "POST", "/profiles/mine/preview", {"full": "true"}, MINE),
    (
        "profile try {rule} --last 3 --like p",
        "POST",
        "/profiles/mine/dry-run",
        {"last": "3", "like": "p"},
        MINE,
    ),
    (
        "profile put {rule} --accept-risk x=because",
        "PUT",
        "/profiles/mine",
        {},
        MINE | {"accept_risks": {"x": "because"}},
    ),
    ("profile retire p", "DELETE", "/profiles/p", {}, None),
    ("dn-profile list", "GET", "/dn-profiles", {"limit": "500"}, None),
    ("dn-profile show p", "GET", "/dn-profiles/p", {}, None),
    ("dn-profile put {rule}", "PUT", "/dn-profiles/mine", {}, {"name": "mine"}),
    ("dn-profile delete p", "DELETE", "/dn-profiles/p", {}, None),
    ("dn-profile diff p --file {rule}", "POST", "/dn-profiles/p/preview", {}, {"name": "p"}),
    ("dn-profile versions p", "GET", "/dn-profiles/p/versions", {"limit": "500"}, None),
    ("dn-profile risks p", "GET", "/dn-profiles/p/risks", {}, None),
    (
        "dn-profile check {rule} --within w",
        "POST",
        "/dn-profiles/mine/preview",
        {"within": "w"},
        MINE,
    ),
    ("dn-profile try {rule}", "POST", "/dn-profiles/mine/dry-run", {"last": "100"}, MINE),
    ("ra list", "GET", "/ras", {"limit": "500"}, None),
    (
        "ra list --profile p --enabled --public",
        "GET",
        "/ras",
        {"limit": "500", "profile": "p", "disabled": "false", "public": "true"},
        None,
    ),
    ("ra show r", "GET", "/ras/r", {}, None),
    ("ra put {rule}", "PUT", "/ras/mine", {}, {"name": "mine"}),
    ("ra diff r --file {rule}", "POST", "/ras/r/preview", {}, {"name": "r"}),
    ("ra disable r", "GET", "/ras/r", {}, None),
    ("ra enable r", "GET", "/ras/r", {}, None),
    ("ra versions r", "GET", "/ras/r/versions", {"limit": "500"}, None),
    ("ra risks r", "GET", "/ras/r/risks", {}, None),
    ("ra check {rule}", "POST", "/ras/mine/preview", {}, MINE),
    ("ra try {rule}", "POST", "/ras/mine/dry-run", {"last": "100"}, MINE),
    ("ra delete r", "DELETE", "/ras/r", {}, None),
    # audit
    (
        "audit list --actor u --action certificate.issued --subject s --before 9 --limit 5",
        "GET",
        "/audit",
        {"actor": "u", "action": "certificate.issued", "subject": "s", "before": "9", "limit": "6"},
        None,
    ),
    ("audit checkpoint", "GET", "/audit/checkpoint", {}, None),
    ("audit proof 3", "GET", "/audit/inclusion/3", {}, None),
    # people
    ("user list", "GET", "/users", {"limit": "500"}, None),
    ("user show u", "GET", "/users/u", {}, None),
    (
        (
            "user create u --display-name U --email u@example.org --role requester"
            " --role ra-officer --password-file {secret}"
        ),
        "POST",
        "/users",
        {},
        {"name": "u", "display_name": "U", "email": "u@example.org"}
        | {"roles": ["requester", "ra-officer"], "password": "correct horse"},
    ),
    ("user edit u --email e", "PATCH", "/users/u", {}, {"email": "e"}),
    ("user disable u", "PATCH", "/users/u", {}, {"disabled": True}),
    ("user enable u", "PATCH", "/users/u", {}, {"disabled": False}),
    ("user delete u", "DELETE", "/users/u", {}, None),
    (
        "user password u --password-file {secret} --current-password-file {secret}",
        "POST",
        "/users/u/password",
        {},
        {"password": "correct horse", "current": "correct horse"},
    ),
    ("user grant u auditor", "PUT", "/users/u/roles/auditor", {}, None),
    ("user withdraw u auditor", "DELETE", "/users/u/roles/auditor", {}, None),
    ("user unlock u", "POST", "/users/u/unlock", {}, None),
    (
        "user create u --password-file {secret} --must-change",
        "POST",
        "/users",
        {},
        {"name": "u", "password": "correct horse", "must_change_password": True},
    ),
    (
        "user password u --password-file {secret} --must-change",
        "POST",
        "/users/u/password",
        {},
        {"password": "correct horse", "must_change": True},
    ),
    ("user factors u", "GET", "/users/u/factors", {}, None),
    ("user reset-factors u", "DELETE", "/users/u/factors", {}, None),
    ("user sessions u", "GET", "/users/u/sessions", {"limit": "500"}, None),
    ("user end-sessions u", "DELETE", "/users/u/sessions", {}, None),
    ("user end-sessions u --session S", "DELETE", "/users/u/sessions/S", {}, None),
    ("user tokens u", "GET", "/users/u/tokens", {"limit": "500"}, None),
    ("user revoke-token u T", "DELETE", "/users/u/tokens/T", {}, None),
    # one's own credentials
    (
        "account password --password-file {secret} --current-password-file {secret}",
        "POST",
        "/account/password",
        {},
        {"current": "correct horse", "password": "correct horse"},
    ),
    ("account factors", "GET", "/account/factors", {}, None),
    ("account totp-start --password-file {secret}", "POST", "/account/totp", {}, PROOF),
    ("account totp-confirm 123456", "POST", "/account/totp/confirmation", {}, {"code": "123456"}),
    ("account totp-remove --password-file {secret}", "POST", "/account/totp/removal", {}, PROOF),
    ("account passkeys", "GET", "/account/factors", {}, None),
    ("account passkey-rename K blue", "PATCH", "/account/passkeys/K", {}, {"label": "blue"}),
    (
        "account passkey-remove K --password-file {secret}",
        "POST",
        "/account/passkeys/K/removal",
        {},
        PROOF,
    ),
    (
        "account recovery-codes -o {new} --password-file {secret}",
        "POST",
        "/account/recovery-codes",
        {},
        PROOF,
    ),
    ("account sessions", "GET", "/account/sessions", {"limit": "500"}, None),
    ("account end-session S", "DELETE", "/account/sessions/S", {}, None),
    ("account end-sessions", "DELETE", "/account/sessions", {}, None),
    (
        "user bind-certificate u {csr}",
        "POST",
        "/users/u/certificates",
        {},
        {"certificate": CSR},
    ),
    ("user certificates u", "GET", "/users/u/certificates", {"limit": "500"}, None),
    (f"user unbind-certificate u {HASH}", "DELETE", f"/users/u/certificates/{HASH}", {}, None),
    ("group list", "GET", "/groups", {"limit": "500"}, None),
    ("group show g", "GET", "/groups/g", {}, None),
    (
        "group create g --description d --role auditor --role-class audit",
        "POST",
        "/groups",
        {},
        {"name": "g", "description": "d", "roles": ["auditor"], "role_class": "audit"},
    ),
    (
        "group create g --logins-required 2",
        "POST",
        "/groups",
        {},
        {"name": "g", "logins_required": 2},
    ),
    (
        "group edit g --description d --logins-required 1",
        "PATCH",
        "/groups/g",
        {},
        {"description": "d", "logins_required": 1},
    ),
    ("group delete g", "DELETE", "/groups/g", {}, None),
    ("group add g u", "PUT", "/groups/g/members/u", {}, None),
    ("group remove g u", "DELETE", "/groups/g/members/u", {}, None),
    ("token list", "GET", "/tokens", {"limit": "500"}, None),
    ("token revoke T", "DELETE", "/tokens/T", {}, None),
    (
        "token create -o {new} --label l --days 3 --scope request.submit",
        "POST",
        "/session/token",
        {},
        {"label": "l", "days": 3, "scopes": ["request.submit"]},
    ),
]
_JUDGED = {"faults": [], "risks": [], "lint": [], "changes": [], "certificate": None}
_LISTS = (
    "authorities",
    "list",
    "profiles",
    "requests",
    "tree",
    "versions",
    "certificates",
    "pending",
)


@pytest.fixture
def words(tmp_path: Path) -> dict[str, Path]:
    made = {name: tmp_path / name for name in ("csr", "rule", "secret", "new")}
    made["csr"].write_text(CSR)
    made["rule"].write_text(json.dumps({"name": "mine"}))
    made["secret"].write_text("correct horse\n")
    made["secret"].chmod(0o600)
    return made


def _answer(argv: str) -> Any:
    if argv.split()[1] in _LISTS:
        return PAGE
    if argv.split()[1] in ("check", "diff") and not argv.startswith("portal"):
        return _JUDGED
    if argv.split()[1] == "try":
        return {"counts": {"same": 0}, "trials": []}
    if argv.split()[1] == "risks":
        return []
    if argv.startswith(("vault test", "vault self-test")):
        return [{"name": "token", "passed": True, "detail": "", "took_us": 1}]
    if argv.startswith("account recovery-codes"):
        return {"codes": ["aaaa-bbbb-cccc-dddd"]}
    if argv.startswith(("account totp", "account pass", "account factors", "user factors")):
        return {"totp": True, "passkeys": [], "recovery_codes": 9}
    if argv.startswith("portal recipe"):
        return {"openssl": "openssl req", "notes": []}
    if argv.startswith("portal check"):
        return {"fit": True, "changes": [], "findings": [], "approvals": 1}
    if argv.startswith("revocation challenge"):
        return {"line": "revoke", "command": "openssl"}
    if argv.startswith("certificate lint"):
        return {"linters": [], "waiting": ["pkilint"]}
    return {"id": "1", "token": "chy_new"} if argv.startswith("token create") else {"id": "1"}


@pytest.mark.parametrize("as_json", [False, True], ids=["table", "json"])
@pytest.mark.parametrize("case", CASES, ids=[case[0].split(" --")[0] for case in CASES])
def test_asks_for(case: Any, as_json: bool, server: Any, run: Any, words: dict[str, Path]) -> None:
    argv, method, path, query, body = case
    server.on(method, path, _answer(argv + " ."))
    server.on("PUT", path, _answer(argv + " ."))  # where a command reads before it writes

    finished = run(
        *(word.format(**words) for word in argv.split()), *(["--json"] if as_json else [])
    )

    assert (finished.code, finished.err) in {
        (0, ""),
        (0, "note: nothing found\n"),
    }, finished
    asked = server.seen[0]  # what follows only tells more
    assert (asked.method, asked.path, asked.query) == (method, path_of(path), query)
    assert (asked.json if asked.body else None) == body
    anonymous = argv.startswith(("ca export", "audit checkpoint")) or "--code" in argv
    assert ("authorization" in asked.headers) is not anonymous
    if as_json:
        assert finished.out.count("\n") <= 1  # a download to stdout has no line end of ours
        json.loads(finished.out)
    assert "chy_" not in finished.out
    assert "correct horse" not in finished.out


def path_of(path: str) -> str:
    return "/api/v1" + path


def commands(app: Any, prefix: str = "") -> list[str]:
    """Every command of the tree that does something."""
    found: list[str] = []
    for name in app:
        if name.startswith("-"):
            continue
        inner = commands(app[name], f"{prefix}{name} ")
        found += inner or [prefix + name]
    return found


def test_every_command_is_tested_here_or_has_tests_of_its_own() -> None:
    here = {" ".join(case[0].split()[:2]) for case in CASES} | {"whoami"}
    elsewhere = {
        "quickstart", "serve", "config check", "completion", "crl download", "audit verify",
        "audit show", "audit new-key", "database upgrade", "certificate import",
        "vault unlock", "directory list", "directory check", "provider list", "provider check",
        "ocsp edit", "ra enrol", "ra receipt", "va init", "va request", "va install", "va renew", "bench generate",
        "status check", "status export", "status feed",
    }  # fmt: skip
    # Those of the ceremony, and those of test_work.py, test_custody.py, test_backup.py, test_keys.py.
    apart = (
        "backup ",
        "custodian ",
        "bundle ",
        "unseal",
        "config renew",
        "ceremony ",
        "operation ",
        "notification ",
        "job ",
        "door ",  # doors and their protocols: tests/interop, with real clients
        "scep ",
        "est ",
        "cmp ",
        "acme ",
        "figures ",
        "certificate revoke-m",
        "key",
    )
    others = {one for one in commands(build()) if one.startswith(apart)}

    assert set(commands(build())) == here | elsewhere | others
