"""OpenSSL and psec on what managed keys give out: nobody needs us to open it."""

import base64
import json
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from key_house import ADMIN, OFFICER, OPERATOR, OTHER, KeyHouse, opened
from people import SteppedClock
from psec import tr31

from chancery.adapters.storage import migrate, open_store
from chancery.domain.key_groups import KeyTemplate
from chancery.domain.key_states import KeyEvent
from chancery.domain.managed_key import Exportability, KeyKind, KeyRules, KeyUse
from chancery.services.keys.wanted import Wanted

pytestmark = pytest.mark.interop
SECRET = "correct horse battery"


def openssl(*words: str) -> bytes:
    done = subprocess.run(["openssl", *words], capture_output=True, check=False, timeout=60)
    assert done.returncode == 0, done.stderr.decode()
    return done.stdout


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[KeyHouse]:
    place = tmp_path_factory.mktemp("keys")
    migrate(f"sqlite:///{place}/chancery.db")
    clock = SteppedClock()
    store = open_store(f"sqlite:///{place}/chancery.db", clock=clock)
    with opened(store, clock, place / "home") as made:
        yield made
    store.close()


def test_openssl_opens_what_a_wrapped_key_protects(house: KeyHouse, tmp_path: Path) -> None:
    """A partner's RSA key takes the KEK, the KEK the data key, and that the data."""
    keys = house.keys
    partner, public = tmp_path / "partner.pem", tmp_path / "partner.der"
    openssl(
        "genpkey", "-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:2048", "-out", str(partner)
    )
    openssl("pkey", "-in", str(partner), "-pubout", "-outform", "DER", "-out", str(public))
    house.make("kek", "kek-aes-256")
    house.make("data", "data-aes-256-exportable")
    spki = base64.b64encode(public.read_bytes()).decode()
    weak = keys.leaving.wrap(OPERATOR, "kek", "rsa-oaep-sha256", public_key=spki)
    (tmp_path / "kek.wrapped").write_bytes(house.agreed(weak).data)
    kek = openssl(
        "pkeyutl", "-decrypt", "-inkey", str(partner), "-pkeyopt", "rsa_padding_mode:oaep",
        "-pkeyopt", "rsa_oaep_md:sha256", "-in", str(tmp_path / "kek.wrapped"),
    )  # fmt: skip
    wrapped = tmp_path / "data.wrapped"
    wrapped.write_bytes(keys.leaving.wrap(OPERATOR, "data", "aes-kwp", by="kek").data)
    data = openssl(
        "enc", "-d", "-id-aes256-wrap-pad", "-K", kek.hex(), "-iv", "A65959A6", "-in", str(wrapped)
    )
    block = keys.leaving.wrap(OPERATOR, "data", "tr31-d", by="kek").data.decode()
    assert tr31.KeyBlock(kek).unwrap(block) == data

    text = keys.using.encrypt(OPERATOR, "data", b"hello keys").removeprefix("chy1.")
    octets = base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
    nonce, sealed = octets[21:33], octets[33:-16]
    (tmp_path / "sealed").write_bytes(sealed)
    # OpenSSL's command line has no GCM; its counter mode begins at 2 (SP 800-38D §7.1).
    plain = openssl(
        "enc", "-d", "-aes-256-ctr", "-K", data.hex(), "-iv", nonce.hex() + "00000002",
        "-in", str(tmp_path / "sealed"),
    )  # fmt: skip
    assert plain == b"hello keys"


def test_openssl_verifies_what_a_key_signed(house: KeyHouse, tmp_path: Path) -> None:
    keys = house.keys
    house.make("signer", "sign-ec-p256")
    (tmp_path / "message").write_bytes(b"message")
    made = keys.using.sign(OPERATOR, "signer", b"message")
    (tmp_path / "signature").write_bytes(made.data)
    public = keys.life.show(OPERATOR, "signer").current.facts.spki
    (tmp_path / "public.der").write_bytes(public)
    said = openssl(
        "dgst", "-sha256", "-keyform", "DER", "-verify", str(tmp_path / "public.der"),
        "-signature", str(tmp_path / "signature"), str(tmp_path / "message"),
    )  # fmt: skip
    assert said == b"Verified OK\n"


def test_openssl_reads_pkcs12_and_pkcs8(house: KeyHouse, tmp_path: Path) -> None:
    keys = house.keys
    made = house.make("sig", "sign-rsa-3072-exportable")
    (tmp_path / "secret").write_text(SECRET)
    where = f"file:{tmp_path}/secret"
    for form in ("pkcs12", "pkcs8"):
        packed = house.agreed(keys.leaving.package(OPERATOR, "sig", form), secret=SECRET).data
        path, plain = tmp_path / form, tmp_path / f"{form}.pem"
        path.write_bytes(packed)
        if form == "pkcs12":
            openssl(
                "pkcs12", "-in", str(path), "-passin", where, "-nocerts", "-noenc",
                "-out", str(plain),
            )  # fmt: skip
        else:
            openssl(
                "pkcs8", "-in", str(path), "-inform", "DER", "-passin", where, "-out", str(plain)
            )
        assert openssl("pkey", "-in", str(plain), "-pubout", "-outform", "DER") == (
            made.current.facts.spki
        )
    # And theirs: a key that OpenSSL made and packed.
    theirs = tmp_path / "theirs.der"
    openssl(
        "genpkey", "-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:3072", "-out",
        str(tmp_path / "t.pem"),
    )  # fmt: skip
    openssl(
        "pkcs8", "-topk8", "-in", str(tmp_path / "t.pem"), "-outform", "DER", "-v2", "aes-256-cbc",
        "-passout", where, "-out", str(theirs),
    )  # fmt: skip
    wanted = Wanted("theirs", "vault", "sign-rsa-3072-exportable")
    taken = keys.making.insert(OPERATOR, wanted, theirs.read_bytes(), SECRET)
    public = openssl("pkey", "-in", str(tmp_path / "t.pem"), "-pubout", "-outform", "DER")
    assert taken.current.facts.spki == public
    keys.life.change(OPERATOR, "theirs", KeyEvent.SUSPEND, "tried")


def test_agents_need_nothing_but_openssl_to_bring_a_key_back(
    house: KeyHouse, tmp_path: Path
) -> None:
    keys = house.keys
    made = house.make("letters", "data-aes-256-exportable")
    sealed = keys.using.encrypt(OPERATOR, "letters", b"dear all")
    agents = []
    for number in range(2):
        private = tmp_path / f"agent{number}.pem"
        openssl("genpkey", "-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:3072",
                "-out", str(private))  # fmt: skip
        public = openssl("pkey", "-in", str(private), "-pubout", "-outform", "DER")
        agents.append((private, base64.b64encode(public).decode()))
    asked = keys.escrow.seal(OPERATOR, "letters", [public for _, public in agents], 2)
    record = json.loads(house.agreed(asked).data)
    shares = []
    for number, (private, public) in enumerate(agents):
        mine = next(one for one in record["agents"] if one["public_key"] == public)
        (tmp_path / f"share{number}").write_bytes(base64.b64decode(mine["share"]))
        share = openssl(
            "pkeyutl", "-decrypt", "-inkey", str(private), "-pkeyopt", "rsa_padding_mode:oaep",
            "-pkeyopt", "rsa_oaep_md:sha256", "-in", str(tmp_path / f"share{number}"),
        )  # fmt: skip
        shares.append(share.decode())
    back = keys.escrow.recover(OPERATOR, "letters", shares, to="letters-again")
    assert back.current.facts.check_value == made.current.facts.check_value
    assert keys.using.decrypt(OPERATOR, "letters-again", sealed) == (b"dear all", 1)


def test_openssl_computes_the_same_macs_and_check_values(house: KeyHouse, tmp_path: Path) -> None:
    """CMAC and its check value by OpenSSL, with the key that a partner was given."""
    keys = house.keys
    rules = KeyRules(frozenset({KeyUse.MAC}), Exportability.SENSITIVE)
    template = KeyTemplate("cmac", "", KeyKind.AES_256, rules, block_usage="M6", block_mode="C")
    keys.templates.put(ADMIN, template)
    made = house.make("cmac", "cmac")
    kek = b"\x11" * 16 + bytes(range(16))
    entry = keys.parts.begin(OPERATOR, Wanted("known-kek", "vault", "kek-aes-256"), 2).entry.id
    piece = bytes(range(100, 132))
    other = bytes(a ^ b for a, b in zip(kek, piece, strict=True))
    keys.parts.enter(OFFICER, entry, 1, piece.hex(), "")
    keys.parts.enter(OTHER, entry, 2, other.hex(), "")
    keys.parts.finish(OPERATOR, entry)
    block = keys.leaving.wrap(OPERATOR, "cmac", "tr31-d", by="known-kek").data.decode()
    assert block[5:9] == "M6AC"
    key = tr31.KeyBlock(kek).unwrap(block)

    def cmac(data: bytes) -> bytes:
        (tmp_path / "data").write_bytes(data)
        said = openssl("mac", "-cipher", "AES-256-CBC", "-macopt", f"hexkey:{key.hex()}",
                       "-in", str(tmp_path / "data"), "CMAC")  # fmt: skip
        return bytes.fromhex(said.decode().strip())

    assert keys.using.mac(OPERATOR, "cmac", b"message").data == cmac(b"message")
    assert made.current.facts.check_value == cmac(bytes(16))[:5].hex().upper()
