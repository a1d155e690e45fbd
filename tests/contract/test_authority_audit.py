"""Whatever comes to nothing, the stand-alone audit verifier still finds the books in order."""

import shutil
import sqlite3
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from chancery import audit_verifier
from chancery.adapters.publication import DirectoryPublisher
from chancery.domain.algorithms import KeyAlgorithm
from chancery.domain.errors import Conflict, SignerRefused
from chancery.domain.identity import SYSTEM
from chancery.domain.keys import CertificateOrder, KeyPurpose
from chancery.services.audit import AuditService
from chancery.services.authority import ImportedAuthority, NewAuthority
from chancery.signer.client import SignerClient
from services.pki import House, Wavering, away, operator, signer


class Refusing(Wavering):
    """A vault that can be told to refuse end-entity orders, as the real one does: one by one."""

    def __init__(self, vault: SignerClient) -> None:
        super().__init__(vault)
        self.refuses = False
        self._real = vault

    def sign_certificates(self, orders: list[CertificateOrder]) -> list[object]:
        if not self.refuses:
            return list(self._real.sign_certificates(orders))
        return [SignerRefused("not today", field="tbs", rule="signer.test") for _ in orders]


@pytest.fixture
def vault(tmp_path: Path) -> Iterator[Refusing]:
    with signer(tmp_path) as client:
        yield Refusing(client)


@pytest.fixture
def house(tmp_path: Path, vault: Refusing) -> Iterator[House]:
    house = House(tmp_path, vault)
    house.authorities.create(SYSTEM, new("root", None))
    yield house
    house.close()


def new(name: str, parent: str | None) -> NewAuthority:
    return NewAuthority(
        name, "lab", f"CN={name}", parent=parent, key_algorithm=KeyAlgorithm.EC_P256
    )


def refuse() -> None:
    raise SignerRefused("not today", field="tbs", rule="signer.test")


def findings(house: House) -> list[dict[str, str]]:
    """Publish a checkpoint, copy the books as an auditor would, and verify the copy."""
    house.vault.generate("audit", KeyAlgorithm.ED25519, KeyPurpose.AUDIT)
    copy = house.directory / "copy"
    audit = AuditService(
        house.store, house.vault, "audit", "ca.example/audit",
        DirectoryPublisher(copy / "audit"), house.clock,
    )  # fmt: skip
    audit.checkpoint()
    (copy / "data").mkdir()
    with sqlite3.connect(house.directory / "chancery.db") as database:
        database.execute("VACUUM INTO ?", (str(copy / "data" / "chancery.db"),))
    database.close()
    shutil.copytree(house.directory / "journal", copy / "journal")
    key = copy / "audit.vkey"
    key.write_text(f"{audit.verifier_key()}\n")
    report = audit_verifier.verify(copy, key)
    assert not report.skipped
    assert report.counts["intents uncertain"] == 0
    return report.findings


def refused_subordinate(house: House, vault: Refusing) -> None:
    vault.before["sign_ca_certificate"] = refuse
    with pytest.raises(SignerRefused):
        house.authorities.create(operator(), new("below", "root"))


def refused_root(house: House, vault: Refusing) -> None:
    vault.before["sign_ca_certificate"] = refuse
    with pytest.raises(SignerRefused):
        house.authorities.create(operator(), new("other-root", None))


def refused_cross(house: House, vault: Refusing) -> None:
    house.authorities.create(SYSTEM, new("island", None))
    vault.before["sign_ca_certificate"] = refuse
    with pytest.raises(SignerRefused):
        house.authorities.cross_sign(operator(), "root", b"island")


def refused_renewal(house: House, vault: Refusing) -> None:
    vault.before["sign_ca_certificate"] = refuse
    with pytest.raises(SignerRefused):
        house.authorities.renew(operator(), "root", new_key=True)
    assert house.authorities.show(SYSTEM, "root").certificate


def refused_responder(house: House, vault: Refusing) -> None:
    vault.refuses = True
    house.authorities.create(operator(), new("silent", "root"))
    assert house.authorities.show(SYSTEM, "silent").ocsp_certificate is None
    vault.refuses = False


def given_up_responder(house: House, vault: Refusing) -> None:
    """A power cut before the signer was asked; the next start comes a while later."""
    vault.before["sign_certificates"] = away
    vault.sign_certificates = vault.__getattr__("sign_certificates")  # type: ignore[method-assign]
    house.authorities.create(operator(), new("silent", "root"))
    house.clock.ahead_s = 600
    house.authorities.recover()


def rejected(house: House, vault: Refusing) -> None:
    vault.before["sign_ca_certificate"] = away
    with pytest.raises(Exception, match="away"):
        house.authorities.create(operator(), new("doubted", "root"))
    (pending,) = house.authorities.pending(operator())
    house.authorities.reject(operator("otto"), pending.id, "wrong name")


@pytest.mark.parametrize(
    "happens",
    [
        refused_subordinate,
        refused_root,
        refused_cross,
        refused_renewal,
        refused_responder,
        given_up_responder,
        rejected,
    ],
)
def test_the_books_stay_sound(
    house: House, vault: Refusing, happens: Callable[[House, Refusing], None]
) -> None:
    happens(house, vault)
    assert findings(house) == []


def test_the_crl_of_an_offline_authority_is_in_the_books(house: House, tmp_path: Path) -> None:
    house.authorities.create(SYSTEM, new("far", None))
    elsewhere = House(tmp_path / "elsewhere", house.vault)
    certificate = house.authorities.show(SYSTEM, "root").certificate
    elsewhere.authorities.import_authority(
        SYSTEM, ImportedAuthority("root", "lab", certificate=certificate, offline=True)
    )
    elsewhere.status.accept_crl(operator(), "root", house.status.latest_crl("root"))
    shutil.copytree(house.directory / "journal", elsewhere.directory / "journal")
    codes = {one["code"] for one in findings(elsewhere)}
    assert "crl.unrecorded" not in codes
    elsewhere.close()


@pytest.mark.parametrize("happens", [refused_subordinate, rejected])
def test_a_name_is_free_again_when_nothing_came_of_it(
    house: House, vault: Refusing, happens: Callable[[House, Refusing], None]
) -> None:
    happens(house, vault)
    assert [a.name for a in house.authorities.list(SYSTEM)] == ["root"]
    name = "below" if happens is refused_subordinate else "doubted"
    assert house.authorities.create(operator(), new(name, "root")).certificate


def test_what_was_signed_is_not_given_up(house: House, vault: Refusing) -> None:
    vault.after["sign_ca_certificate"] = away
    with pytest.raises(Exception, match="away"):
        house.authorities.create(operator(), new("signed", "root"))
    (pending,) = house.authorities.pending(operator())
    with pytest.raises(Conflict) as caught:
        house.authorities.reject(operator("otto"), pending.id, "too late")
    assert caught.value.rule == "pending.signed"
    assert house.authorities.recover() == 1
    assert findings(house) == []
