"""Ceremonies by script: an offline root's life with custodians, witnesses and transcripts."""

import json
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from softhsm import MODULE, PIN, SoftHsm

from chancery.ceremony import rehearsal, running, transcript
from chancery.ceremony import script as scripts
from chancery.ceremony.store import open_store, opened_by
from chancery.domain.custody import ShareSet
from chancery.domain.errors import (
    AlreadyExists,
    BadRequest,
    Conflict,
    NotPermitted,
    SignerRefused,
    Unavailable,
)
from chancery.signer.unseal.custodians import Gathered, share_set_of
from chancery.wire import custody
from chancery.wire.note import VerifierKey

pytestmark = pytest.mark.interop

WITNESSES = ("Ada Lovelace", "Grace Hopper")
FIRST = """
name = "first"
witnesses = ["Ada Lovelace", "Grace Hopper"]
store = "example.store"
out = "one"
[new_store]
threshold = 3
custodians = [{name = "ada"}, {name = "grace"}, {name = "linus"}, {name = "mary"}, {name = "alan"}]
[[step]]
do = "root"
name = "root"
subject = "CN=Example Root,O=Example,C=DE"
path_length = 2
http = "http://pki.example.org"
[[step]]
do = "key"
name = "policy"
subject = "CN=Example Policy CA,O=Example,C=DE"
algorithm = "ec-p256"
[[step]]
do = "intermediate"
issuer = "root"
key = "policy"
path_length = 1
years = 15
out = "policy.pem"
[[step]]
do = "crl"
issuer = "root"
out = "root.crl"
"""
SECOND = """
name = "second"
witnesses = ["Ada Lovelace", "Grace Hopper"]
store = "example.store"
out = "two"
[certificates]
root = "one/root.pem"
[[step]]
do = "intermediate"
issuer = "policy"
csr = "sub.csr"
years = 5
out = "sub.pem"
[[step]]
do = "cross-certificate"
issuer = "root"
certificate = "other.pem"
out = "cross.pem"
[[step]]
do = "crl"
issuer = "root"
out = "root.crl"
revoke = [{serial = "SERIAL", reason = "superseded"}]
[[step]]
do = "custodians"
threshold = 2
custodians = [{name = "grace"}, {name = "linus"}, {name = "eva"}]
"""


@dataclass
class Room:
    """People who answer as they should; *given* are the shares that they bring."""

    plan: scripts.Plan
    given: Sequence[str] = ()
    witnesses: Sequence[str] = WITNESSES
    digits: str = ""
    heard: list[str] = field(default_factory=list)

    def tell(self, text: str = "") -> None:
        self.heard.append(text)

    def ask(self, question: str) -> str:
        if "type your name" in question:
            return next((w for w in self.witnesses if question.startswith(w)), "nobody")
        return self.digits or self.plan.sha256[:8]

    def secret(self, question: str) -> str:
        raise AssertionError(question)

    def shares(self, share_set: ShareSet) -> Sequence[str]:
        return self.given


def openssl(*words: object, cwd: Path) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        ["openssl", *map(str, words)], cwd=cwd, capture_output=True, text=True, check=False
    )


def words_of(directory: Path, *names: str) -> list[str]:
    return [custody.words_of((directory / f"{name}.share.txt").read_text()) for name in names]


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two ceremonies of one store: made with five custodians, handed to three others."""
    home = tmp_path_factory.mktemp("ceremonies")
    (home / "first.toml").write_text(FIRST)
    plan = scripts.load(home / "first.toml")
    held = running.run(plan, Room(plan))
    assert held.shares is not None
    openssl(
        "req", "-new", "-newkey", "rsa:3072", "-nodes", "-subj", "/CN=Sub", "-keyout", "k",
        "-addext", "basicConstraints=critical,CA:TRUE", "-out", "sub.csr", cwd=home,
    )  # fmt: skip
    openssl(
        "req", "-x509", "-newkey", "rsa:3072", "-nodes", "-subj", "/CN=Other Root", "-keyout", "o",
        "-days", "4000", "-addext", "keyUsage=critical,keyCertSign,cRLSign", "-out", "other.pem",
        cwd=home,
    )  # fmt: skip
    serial = openssl("x509", "-in", "one/policy.pem", "-noout", "-serial", cwd=home).stdout
    (home / "second.toml").write_text(SECOND.replace("SERIAL", serial.strip()[7:].lower()))
    plan = scripts.load(home / "second.toml")
    running.run(plan, Room(plan, words_of(held.shares, "mary", "ada", "linus")))
    return home


def shares_of(house: Path, ceremony: str) -> Path:
    (found,) = (house / ceremony).glob("shares-*")
    return found


def key_of(house: Path) -> VerifierKey:
    return VerifierKey.parse((house / "one" / "example.vkey").read_text())


def test_openssl_trusts_what_was_made(house: Path) -> None:
    trusted = ("verify", "-x509_strict", "-CAfile", "one/root.pem")
    assert "OK" in openssl(*trusted, "one/policy.pem", cwd=house).stdout
    done = openssl(*trusted, "-untrusted", "one/policy.pem", "two/sub.pem", cwd=house)
    assert "OK" in done.stdout, done.stderr
    done = openssl(*trusted, "two/cross.pem", cwd=house)
    assert "OK" in done.stdout, done.stderr
    listed = openssl("crl", "-in", "two/root.crl", "-inform", "DER", "-noout", "-text", cwd=house)
    assert "Superseded" in listed.stdout


def test_transcripts_are_checked_with_the_public_key_alone(house: Path) -> None:
    key = key_of(house)
    both = [
        transcript.read((house / name).read_bytes(), key)
        for name in ("one/first.transcript", "two/second.transcript")
    ]
    transcript.check_order(both)
    assert transcript.check_outputs(both[0], house / "one")
    with pytest.raises(BadRequest, match="does not follow"):
        transcript.check_order(both[::-1])
    assert [one["name"] for one in both[0].body["witnesses"]] == list(WITNESSES)
    assert both[1].body["store"]["custodians"] == ["grace", "linus", "eva"]


def test_a_changed_transcript_or_output_is_noticed(house: Path, tmp_path: Path) -> None:
    key = key_of(house)
    note = (house / "one" / "first.transcript").read_bytes()
    with pytest.raises(BadRequest, match="does not verify"):
        transcript.read(note.replace(b"Grace Hopper", b"Mallory Eve!"), key)
    true = transcript.read(note, key)
    for name in true.outputs:
        (tmp_path / name).write_bytes((house / "one" / name).read_bytes())
    (tmp_path / "root.crl").write_bytes(b"another")
    with pytest.raises(BadRequest, match=r"root.crl is not what was signed"):
        transcript.check_outputs(true, tmp_path)


def test_a_transcript_is_replayed_on_throwaway_keys(house: Path) -> None:
    told = transcript.read((house / "one" / "first.transcript").read_bytes(), key_of(house))
    steps = rehearsal.rehearse(told.plan(house))
    assert [one["verified"] for one in steps] == [one["verified"] for one in told.body["steps"]]
    assert steps[0]["facts"]["sha256"] != told.body["steps"][0]["facts"]["sha256"]


def test_new_custodians_end_the_old_ones(house: Path) -> None:
    store = house / "example.store"
    now = share_set_of(opened_by(store)[1])
    assert (now.threshold, [one.name for one in now.holders]) == (2, ["grace", "linus", "eva"])
    old = Gathered(words_of(shares_of(house, "one"), "ada", "mary", "linus"))
    with pytest.raises(Conflict, match="of set"), open_store(store, old):
        pass
    new = words_of(shares_of(house, "two"), "eva", "grace")
    with pytest.raises(Conflict, match="1 more share needed"), open_store(store, Gathered(new[:1])):
        pass
    with open_store(store, Gathered(new)) as opened:
        assert opened.authorities() == ["policy", "root"]
        assert opened.sequence == 2


def test_keys_are_nowhere_in_clear(house: Path) -> None:
    content = json.loads((house / "example.store").read_text())
    assert set(content) == {"metadata", "key", "body"}
    assert (house / "example.store").stat().st_mode & 0o077 == 0


@pytest.mark.parametrize("at", [0.3, 0.6, 0.9])
def test_a_flipped_bit_is_found(house: Path, tmp_path: Path, at: float) -> None:
    data = bytearray((house / "example.store").read_bytes())
    place = int(len(data) * at)
    data[place] ^= 1
    (tmp_path / "x.store").write_bytes(data)
    (tmp_path / "x.store").chmod(0o600)
    source = Gathered(words_of(shares_of(house, "two"), "eva", "grace"))
    with pytest.raises((Unavailable, Conflict)), open_store(tmp_path / "x.store", source):
        pass


def script(
    house: Path, name: str, *steps: str, witnesses: str = '"Ada Lovelace", "Grace Hopper"'
) -> scripts.Plan:
    head = f'name = "{name}"\nwitnesses = [{witnesses}]\nstore = "example.store"\nout = "{name}"\n'
    (house / f"{name}.toml").write_text(head + "".join(f"[[step]]\n{one}\n" for one in steps))
    return scripts.load(house / f"{name}.toml")


CRL = 'do = "crl"\nissuer = "root"\nout = "x.crl"'


def test_who_does_not_confirm_stops_it(house: Path) -> None:
    plan = script(house, "refused", CRL)
    before = (house / "example.store").read_bytes()
    for room in (Room(plan, witnesses=WITNESSES[:1]), Room(plan, digits="00000000")):
        with pytest.raises(NotPermitted, match="did not confirm"):
            running.run(plan, room)
    assert (house / "example.store").read_bytes() == before
    assert not (house / "refused").exists()


def test_fewer_witnesses_than_at_first_sign_no_certificate(house: Path) -> None:
    step = 'do = "intermediate"\nissuer = "policy"\ncsr = "sub.csr"\nout = "x.pem"'
    plan = script(house, "alone", step, witnesses='"Ada Lovelace"')
    room = Room(plan, words_of(shares_of(house, "two"), "eva", "grace"), WITNESSES[:1])
    with pytest.raises(SignerRefused):
        running.run(plan, room)
    assert not (house / "alone").exists()


def test_nothing_is_overwritten(house: Path) -> None:
    plan = script(house, "again", CRL)
    (house / "again").mkdir()
    (house / "again" / "x.crl").write_text("kept")
    with pytest.raises(AlreadyExists):
        running.run(plan, Room(plan))
    assert (house / "again" / "x.crl").read_text() == "kept"


def test_a_number_is_never_taken_twice_even_if_a_ceremony_fails(house: Path) -> None:
    wrong = 'do = "crl"\nissuer = "root"\nout = "y.crl"\nrevoke = [{serial = "1234"}]'
    shares = words_of(shares_of(house, "two"), "eva", "grace")
    plan = script(house, "failing", CRL, wrong)
    with pytest.raises(Conflict, match="signed no certificate 1234"):
        running.run(plan, Room(plan, shares))
    assert not (house / "failing").exists()
    plan = script(house, "next", CRL)
    running.run(plan, Room(plan, shares))
    shown = openssl("crl", "-in", "next/x.crl", "-inform", "DER", "-noout", "-crlnumber", cwd=house)
    assert shown.stdout.strip() == "crlNumber=0x04"


def test_another_root_than_the_script_means_is_refused(house: Path) -> None:
    plan = script(house, "other", CRL)
    text = plan.text + '[certificates]\nroot = "other.pem"\n'
    (house / "other.toml").write_text(text)
    plan = scripts.load(house / "other.toml")
    shares = words_of(shares_of(house, "two"), "eva", "grace")
    with pytest.raises(Conflict, match="another certificate"):
        running.run(plan, Room(plan, shares))


ON_TOKEN = """
name = "token"
witnesses = ["Ada Lovelace"]
store = "token.store"
[new_store]
passphrase = true
[token]
module = "MODULE"
token = "root"
[[step]]
do = "root"
name = "root"
subject = "CN=Root on a token"
algorithm = "ec-p256"
[[step]]
do = "crl"
issuer = "root"
out = "root.crl"
"""


@dataclass
class Keyed(Room):
    """Somebody who has the PIN and the passphrase."""

    pin: str = PIN

    def secret(self, question: str) -> str:
        return self.pin if question.startswith("PIN") else "six quite random words in a row"


def test_a_root_on_a_token(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The store has what is around the key; the key never leaves the token."""
    hsm = SoftHsm.create(tmp_path / "hsm")
    hsm.add("root")
    monkeypatch.setenv("SOFTHSM2_CONF", hsm.environment["SOFTHSM2_CONF"])
    (tmp_path / "t.toml").write_text(ON_TOKEN.replace("MODULE", str(MODULE)))
    plan = scripts.load(tmp_path / "t.toml")
    with pytest.raises(Unavailable, match="the token root is pin-refused") as refused:
        running.run(plan, Keyed(plan, witnesses=("Ada Lovelace",), pin="999999"))
    assert "nothing was done" in (refused.value.remedy or "")
    assert not (tmp_path / "token.store").exists()
    running.run(plan, Keyed(plan, witnesses=("Ada Lovelace",)))
    assert "OK" in openssl("verify", "-CAfile", "out/root.pem", "out/root.pem", cwd=tmp_path).stdout
    shown = hsm.tool("--list-objects", "--type", "privkey", label="root")
    assert "never extractable" in shown
    text = plan.text.replace("[new_store]\npassphrase = true\n", "").replace(
        '"token"\nw', '"two"\nw'
    )
    first = text.index('[[step]]\ndo = "root"')
    (tmp_path / "two.toml").write_text(
        (text[:first] + text[text.index('[[step]]\ndo = "crl"') :]).replace("root.crl", "next.crl")
    )
    again = scripts.load(tmp_path / "two.toml")
    running.run(again, Keyed(again, witnesses=("Ada Lovelace",)))
    assert (tmp_path / "out" / "next.crl").exists()
    hsm.remove()
    (tmp_path / "hsm" / "tokens").mkdir()
    (tmp_path / "four.toml").write_text(
        again.text.replace("next.crl", "fourth.crl").replace('"two"', '"four"')
    )
    lost = scripts.load(tmp_path / "four.toml")
    with pytest.raises(Unavailable, match="no token 'root' in its slots"):
        running.run(lost, Keyed(lost, witnesses=("Ada Lovelace",)))
    hsm.add("root")
    with pytest.raises(Unavailable, match="no key with label root") as missing:
        running.run(lost, Keyed(lost, witnesses=("Ada Lovelace",)))
    assert missing.value.rule == "vault.key-missing"
    assert not (tmp_path / "out" / "fourth.crl").exists()
    without = again.text.replace(f'[token]\nmodule = "{MODULE}"\ntoken = "root"\n', "")
    without = without.replace('"two"', '"three"').replace("next.crl", "third.crl")
    (tmp_path / "three.toml").write_text(without)
    plan = scripts.load(tmp_path / "three.toml")
    with pytest.raises(Conflict, match="the key of root is on a token") as caught:
        running.run(plan, Keyed(plan, witnesses=("Ada Lovelace",)))
    assert caught.value.remedy == "say which in the script: [token]"
