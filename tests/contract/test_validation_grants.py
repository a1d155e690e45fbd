"""The rights that the guide gives a validation authority in PostgreSQL: enough, and no more."""

import re
import secrets
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
from cryptography.x509 import ocsp
from ocsp_asking import change, request
from sqlalchemy import make_url

from chancery.app.va_store import ReadingStore
from chancery.domain.algorithms import KeyAlgorithm
from chancery.domain.certificate import CertificateStatus
from chancery.domain.errors import Unavailable
from chancery.domain.identity import SYSTEM
from chancery.domain.status import OcspPolicy, Unissued
from chancery.services.authority import Extensions, NewAuthority
from chancery.services.status.composing import Spans
from chancery.services.status.issuer_index import IssuerIndex
from chancery.services.status.ocsp import OcspResponder
from services.pki import House, operator, signer
from services.postgres import Server

pytestmark = pytest.mark.postgres
GUIDE = Path(__file__).parents[2] / "docs" / "guides" / "validation-authority.md"
REFUSED = (
    "SELECT der FROM certificate",
    "SELECT subject FROM certificate",
    "SELECT * FROM user_account",
    "SELECT tbs FROM intent",
    "SELECT certificate_id FROM revocation",
    "DELETE FROM revocation",
    "UPDATE audit_head SET size = 0",
    "INSERT INTO ocsp_policy (authority, unissued) VALUES ('issuing', 'revoked')",
    "CREATE TABLE mine (x int)",
)


@pytest.fixture(scope="module")
def house(
    tmp_path_factory: pytest.TempPathFactory, postgres_server: Server, postgres_template: str
) -> Iterator[House]:
    directory = tmp_path_factory.mktemp("grants")
    url = postgres_server.database(template=postgres_template)
    with signer(directory) as vault:
        house = House(directory, vault, database=url)
        house.authorities.create(
            SYSTEM,
            NewAuthority(
                "issuing", "lab", "CN=issuing", key_algorithm=KeyAlgorithm.EC_P256,
                extensions=Extensions(days=900),
            ),
        )  # fmt: skip
        yield house
        house.close()
    postgres_server.drop(url)


@pytest.fixture(scope="module")
def reader(house: House) -> str:
    """The URL of an account made with the very words of the guide."""
    name = f"status_{secrets.token_hex(4)}"
    (block,) = re.findall(r"```sql\n(.*?)```", GUIDE.read_text(), re.DOTALL)
    url = make_url(house.url)
    with psycopg.connect(str(plain(house.url)), autocommit=True) as link:
        for statement in block.split(";"):
            words = re.sub(r"\bstatus\b(?=\s*$| LOGIN)", name, statement.strip())
            if words:
                link.execute(words)  # type: ignore[call-overload]
    return url.set(username=name, password="...").render_as_string(hide_password=False)


def plain(url: str) -> str:
    return make_url(url).set(drivername="postgresql").render_as_string(hide_password=False)


def test_they_are_enough_to_answer(house: House, reader: str) -> None:
    store = ReadingStore(reader, house.clock)  # type: ignore[arg-type]
    answering = OcspResponder(
        store, house.vault, house.clock, house.status._responders, IssuerIndex(store), Spans()
    )

    def says(serial: str) -> ocsp.OCSPCertStatus:
        answer = answering.answer("issuing", request(house, serial)).der
        return ocsp.load_der_ocsp_response(answer).certificate_status

    leaf = house.leaf("issuing", "www.example.org")
    assert says(leaf.serial) is ocsp.OCSPCertStatus.GOOD
    with store.read() as session:
        since = session.statuses.as_of()
    for status in (CertificateStatus.HELD, CertificateStatus.VALID, CertificateStatus.REVOKED):
        change(house, leaf, status)
        gone = status is not CertificateStatus.VALID
        assert (says(leaf.serial) is ocsp.OCSPCertStatus.REVOKED) is gone
    with store.read() as session:
        changes = session.statuses.changes(["issuing"], since)
    assert changes.changed == [("issuing", leaf.serial)]
    assert says("abcdef") is ocsp.OCSPCertStatus.UNKNOWN
    policy = OcspPolicy(unissued=Unissued.REVOKED)
    house.status.ocsp_policies.put(operator(), "issuing", policy)
    answering._index.forget()
    assert says("abcdef") is ocsp.OCSPCertStatus.REVOKED
    with pytest.raises(Unavailable):
        store.write(lambda session: None)
    store.close()


@pytest.mark.parametrize("statement", REFUSED)
def test_and_no_more(reader: str, statement: str) -> None:
    with (
        psycopg.connect(plain(reader)) as link,
        pytest.raises(psycopg.errors.InsufficientPrivilege),
    ):
        link.execute(statement)  # type: ignore[call-overload]
