"""The commands that the portal shows are run as they stand, and what they make is submitted."""

import shutil
import subprocess
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from chancery.domain.algorithms import KeyAlgorithm, key_family
from chancery.domain.dn_profile import DnProfile
from chancery.domain.errors import BadKey, BadName, BadRequest, TooLarge
from chancery.domain.names import ATTRIBUTES, SHORT_NAMES, NameKind
from chancery.domain.profile import ExtensionProfile, SanRule
from chancery.domain.shipped import DN_PROFILES, PROFILES
from chancery.domain.subject import build_subject
from chancery.services.portal.recipes import recipe
from chancery.services.portal.wishes import Wish, key_choices, wish
from chancery.wire import pkcs10
from chancery.wire.pkcs10 import CertificationRequest

pytestmark = pytest.mark.interop

PROFILE = {profile.name: profile for profile in PROFILES}
DN = {profile.name: profile for profile in DN_PROFILES}
EVERYTHING = ExtensionProfile(
    "everything",
    san=tuple(
        SanRule(kind) for kind in NameKind if kind not in (NameKind.DIRECTORY, NameKind.OTHER)
    ),
)


def run(script: str, where: Path) -> None:
    """In a POSIX shell, as somebody who pasted it."""
    done = subprocess.run(
        ["/bin/sh", "-eu", "-c", script],
        cwd=where,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "Skipping" not in done.stderr, done.stderr


def made(wanted: Wish, where: Path, tool: str = "openssl") -> CertificationRequest:
    ready = recipe(wanted)
    script = getattr(ready, tool)
    run(script, where)
    # OpenSSL for the owner alone; whatever an attacker typed made no other file.
    expected = {ready.key_file, ready.csr_file} | (
        {ready.csr_file.removesuffix("csr") + "tmpl"} if tool == "certtool" else set()
    )
    assert {path.name for path in where.iterdir()} == expected
    assert (where / ready.key_file).stat().st_mode & 0o077 == 0
    csr = pkcs10.decode((where / ready.csr_file).read_bytes())
    pkcs10.check_signature(csr)
    assert key_family(csr.public_key) == wanted.key
    return csr


def asked(csr: CertificationRequest) -> list[tuple[str, str]]:
    return [(SHORT_NAMES.get(a.oid, a.oid), a.value) for rdn in csr.subject.rdns for a in rdn]


@pytest.mark.parametrize(
    "name", [p.name for p in PROFILES if p.basic_constraints and not p.basic_constraints.ca]
)
@pytest.mark.parametrize("tool", ["openssl", "certtool"])
def test_shipped_profiles(name: str, tool: str, tmp_path: Path) -> None:
    """The example fits its own profile."""
    profile = PROFILE[name]
    wanted = wish(profile, DN[profile.dn_profile])
    csr = made(wanted, tmp_path, tool)
    assert set(csr.names) == set(wanted.names)
    assert asked(csr) == list(wanted.subject)
    build_subject(DN[profile.dn_profile], csr.subject, (), may_override=False)


@pytest.mark.parametrize("key", [k for k in KeyAlgorithm if not k.startswith("ml-dsa")])
@pytest.mark.parametrize("tool", ["openssl", "certtool"])
def test_every_key(key: KeyAlgorithm, tool: str, tmp_path: Path) -> None:
    profile = PROFILE["tls-server"]
    assert key in key_choices(profile)
    made(wish(profile, DN["tls"], key=key), tmp_path, tool)


def test_every_attribute_and_kind_of_name(tmp_path: Path) -> None:
    values = {"C": "DE", "emailAddress": "a@b.example", "DC": "example"}
    subject = tuple(
        (name, values.get(name, "Ärger & Söhne / +1 \\ 'x' \"y\", z=1; $HOME `id` %PATH%"))
        for name in ATTRIBUTES
        if name not in ("serialNumber", "dnQualifier")
    )
    names = (
        *("www.example.org", "*.example.org", "192.0.2.1", "2001:db8::1", "o'hara@example.org"),
        *(
            "https://www.example.org/$HOME/?a=1&b=$(id)'#x",
            "upn:name@example.org",
            "registered-id:1.2.3",
        ),
    )
    dn = DnProfile("all", tuple(rule for p in DN_PROFILES for rule in p.attributes))
    wanted = wish(EVERYTHING, dn, names=names)
    wanted = Wish(wanted.key, wanted.names, tuple((n, v[: ATTRIBUTES[n][2]]) for n, v in subject))
    csr = made(wanted, tmp_path)
    assert asked(csr) == list(wanted.subject)
    assert csr.names == wanted.names
    assert recipe(wanted).notes == ()


@settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(value=st.text(st.characters(exclude_categories=["C", "Z"]), min_size=1, max_size=60))
def test_no_value_becomes_a_command(value: str, tmp_path: Path) -> None:
    where = tmp_path / "x"
    shutil.rmtree(where, ignore_errors=True)
    where.mkdir()
    wanted = wish(PROFILE["device"], DN["device"], subject=[("CN", value), ("O", value)])
    csr = made(wanted, where)
    assert dict(asked(csr)) == {"CN": value, "O": value}


def test_a_key_that_is_there_already(tmp_path: Path) -> None:
    ready = recipe(wish(PROFILE["tls-server"], DN["tls"]))
    run(f"openssl genpkey -algorithm ed25519 -out {ready.key_file}", tmp_path)
    run(ready.existing, tmp_path)
    csr = pkcs10.decode((tmp_path / ready.csr_file).read_bytes())
    assert key_family(csr.public_key) == "ed25519"


def test_what_a_tool_cannot_say_is_left_out_and_noted() -> None:
    wanted = wish(EVERYTHING, DN["tls"], names=["https://www.example.org/a,b", "www.example.org"])
    ready = recipe(wanted)
    assert ready.notes == (
        "left out, because it needs a configuration file: uri:https://www.example.org/a,b",
    )
    assert "URI" not in ready.openssl
    assert recipe(wish(PROFILE["device"], DN["device"], subject=[("CN", 'a"b')])).certtool is None
    ml_dsa = recipe(wish(PROFILE["tls-server"], DN["tls"], key="ml-dsa-65"))
    assert (ml_dsa.certtool, ml_dsa.certreq) == (None, None)
    assert "3.5" in ml_dsa.notes[0]


def test_windows() -> None:
    wanted = wish(
        PROFILE["tls-server"],
        DN["tls"],
        key="ec-p384",
        names=["www.example.org", "192.0.2.1"],
        subject=[("O", "Example, Inc."), ("C", "DE")],
    )
    assert recipe(wanted).certreq == (
        "@'\n"
        '[Version]\nSignature = "$Windows NT$"\n'
        "[NewRequest]\n"
        'Subject = "C=DE, O=""Example, Inc."", CN=www.example.org"\n'
        "KeyAlgorithm = ECDSA_P384\nKeyLength = 384\nHashAlgorithm = SHA384\n"
        "MachineKeySet = TRUE\nRequestType = PKCS10\n"
        '[Extensions]\n2.5.29.17 = "{text}"\n'
        '_continue_ = "dns=www.example.org&"\n_continue_ = "ipaddress=192.0.2.1&"\n'
        "'@ | Set-Content -Encoding ascii www.example.org.inf\n"
        "certreq -new www.example.org.inf www.example.org.csr"
    )


def test_refused() -> None:
    profile, dn = PROFILE["tls-server"], DN["tls"]
    for error, options in (
        (BadKey, {"key": "dsa"}),
        (BadName, {"names": ["bad name"]}),
        (BadRequest, {"subject": [("CN", "two\nlines")]}),
        (BadRequest, {"subject": [("CN", "x" * 300)]}),
        (BadRequest, {"subject": [("title", "Dr.")]}),
        (TooLarge, {"names": [f"h{n}.example.org" for n in range(101)]}),
    ):
        with pytest.raises(error):
            wish(profile, dn, **options)  # type: ignore[arg-type]
