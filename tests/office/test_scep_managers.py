"""A device manager behind SCEP: asked over HTTPS what a challenge is worth, told what came of it."""

import base64
import json
import os
import ssl
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest
import scep_client as c
from cryptography import x509
from listening import party

from chancery.adapters.mdm import ManagerHooks
from chancery.adapters.webhook import Endpoint
from chancery.app.office import Office
from chancery.domain.door import Door, DoorProtocol
from chancery.domain.identity import SYSTEM
from chancery.protocols.exchange import Exchange
from chancery.protocols.scep import ScepHandler
from services.receiver import Receiver

NAME = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "phone.example.org")])
KEY = c.key("ra")


@pytest.fixture
def receiver(tmp_path: Path) -> Iterator[Receiver]:
    root = party("root", ca=True)
    certificate, key = party("localhost", root).write(tmp_path, "hook")
    (tmp_path / "ca.pem").write_bytes(root.pem())
    secret = base64.b64encode(os.urandom(24)).decode()
    (tmp_path / "secret").write_text(f"whsec_{secret}\n")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    started = Receiver(context).start()
    yield started
    started.stop()


@pytest.fixture
def handler(office: Office, receiver: Receiver, tmp_path: Path) -> ScepHandler:
    endpoint = Endpoint(
        "fleet", receiver.url, tmp_path / "secret", tmp_path / "ca.pem", private_addresses=True
    )
    manager = ManagerHooks([endpoint], lambda: uuid.uuid4().hex)
    doors = office.doors
    return ScepHandler(doors.desk, doors.credentials, doors.keys, office.vault, manager, os.urandom)


def ask(handler: ScepHandler, office: Office, challenge: str) -> tuple[int, c.Reply | None, str]:
    """Enrol a phone: (HTTP status, the answer, its transaction)."""
    door = Door(DoorProtocol.SCEP, "fleet", ra="main", profile="device", settings={"mdm": "fleet"})
    office.doors.service.put(SYSTEM, door)
    ra = office.doors.keys.of(office.doors.desk.door(DoorProtocol.SCEP, "fleet")).certificate
    client = c.Client(KEY, c.self_signed(KEY, NAME), ra)
    transaction = uuid.uuid4().hex
    message = client.message(19, c.csr(KEY, NAME, challenge=challenge), transaction)
    reply = handler.handle(
        Exchange("POST", "/scep/fleet", "fleet", "operation=PKIOperation", {}, message,
                 "192.0.2.1", False, None, None, "http://x")
    )  # fmt: skip
    return reply.status, client.read(reply.body) if reply.status == 200 else None, transaction


def said(receiver: Receiver) -> list[tuple[str, dict[str, str]]]:
    bodies = [json.loads(one.body) for one in receiver.got]
    return [(body["operation"], body["request"]) for body in bodies]


def test_the_manager_agrees_and_is_told(
    office: Office, handler: ScepHandler, receiver: Receiver
) -> None:
    receiver.answers = [b'{"code": "Success"}']
    _, reply, transaction = ask(handler, office, "an opaque challenge")
    assert reply is not None
    assert reply.status == "0"
    (asked, request), (told, facts) = said(receiver)
    assert (asked, told) == ("ValidateRequest", "SuccessNotification")
    assert request["transactionId"] == facts["transactionId"] == transaction
    sent = x509.load_der_x509_csr(base64.b64decode(request["certificateRequest"]))
    assert sent.subject == NAME
    made = x509.load_der_x509_certificate(reply.certificates()[0])
    assert int(facts["certificateSerialNumber"], 16) == made.serial_number


def test_the_manager_refuses(office: Office, handler: ScepHandler, receiver: Receiver) -> None:
    receiver.answers = [b'{"code": "SubjectNameMismatch"}']
    _, reply, _ = ask(handler, office, "of another phone")
    assert reply is not None
    assert (reply.status, reply.fail) == ("2", "2")
    assert [operation for operation, _ in said(receiver)] == ["ValidateRequest"]


def test_a_manager_that_does_not_answer_is_no_refusal(
    office: Office, handler: ScepHandler, receiver: Receiver
) -> None:
    receiver.statuses = [502]
    status, _, _ = ask(handler, office, "x")
    assert status == 503  # the client comes again
