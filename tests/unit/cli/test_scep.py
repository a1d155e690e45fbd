"""``chancery scep``: what each command asks of the server."""

from pathlib import Path
from typing import Any

MADE = {"id": "C", "otp": "O", "subject": "CN=a", "expires_at": 1}
DOORS = [
    {"name": "scep/main", "protocol": "scep", "label": "main"},
    {"name": "est/main", "protocol": "est", "label": "main"},
]


def serve(server: Any, made: str, answer: Any) -> None:
    server.on("GET", "/doors", DOORS)
    server.on("POST", f"/scep/main/{made}", answer)


def test_a_password_is_for_one_device(server: Any, run: Any) -> None:
    serve(server, "one-time-passwords", {"passwords": [MADE]})
    made = run(
        *("scep", "otp", "create", "--ra", "main", "--subject", "CN=a", "--san", "dns:a.test"),
        *("--san", "ip:192.0.2.1", "--profile", "device", "--expires", "24h", "--json"),
    )
    assert made.json == MADE
    assert server.last.json == {
        "passwords": [
            {
                "subject": "CN=a",
                "subject_pattern": None,
                "names": ["dns:a.test", "ip:192.0.2.1"],
                "profile": "device",
                "expires_s": 86_400,
                "note": "",
            }
        ]
    }


def test_many_come_from_a_file(server: Any, run: Any, tmp_path: Path) -> None:
    file = tmp_path / "devices.csv"
    file.write_text("subject,san,expires\nCN=a,dns:a.test,never\nCN=b,,\n")
    serve(server, "one-time-passwords", {"passwords": [MADE, MADE]})
    assert run("scep", "otp", "import", file, "--ra", "main", "--json").json == [MADE, MADE]
    asked = server.last.json["passwords"]
    assert [(one["subject"], one["names"], one["expires_s"]) for one in asked] == [
        ("CN=a", ["dns:a.test"], None),
        ("CN=b", [], 604_800),
    ]
    file.write_text("what\n")
    refused = run("scep", "otp", "import", file, "--ra", "main")
    assert (refused.code, "line 1" in refused.err) == (2, True)


def test_a_shared_challenge_is_made_in_so_many_words(server: Any, run: Any) -> None:
    serve(server, "shared-challenges", MADE)
    assert run("scep", "share", "--ra", "main", "--json").json == MADE
    assert server.last.json == {"profile": None, "secret": None, "expires_s": None, "note": ""}
