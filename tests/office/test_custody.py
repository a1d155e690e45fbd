"""Custodians and bundles at the office: who may, what is refused, what is on record."""

import json
import secrets
from collections.abc import Callable

import pytest
from pyrage import x25519

from chancery.app.custody_events import take_up_events
from chancery.app.office import Office
from chancery.domain.custody import Custodian, CustodyPurpose
from chancery.domain.errors import BadRequest, CAError, Conflict, NotFound, NotPermitted, WrongState
from chancery.domain.identity import Principal
from chancery.services.authority import NewAuthority
from chancery.services.custody import CrlWanted
from chancery.signer.unseal import record
from chancery.wire import custody, signing_bundle
from chancery.wire.note import VerifierKey

Who = Callable[[str], Principal]


def document(*people: str | Custodian, now: int = 1_700_000_000) -> str:
    made, _ = custody.split(
        secrets.token_bytes(32),
        [Custodian(one) if isinstance(one, str) else one for one in people],
        threshold=2,
        purpose=CustodyPurpose.BACKUP,
        now=now,
    )
    return json.dumps(custody.to_document(made))


def test_only_operators_of_cas_change_and_auditors_look_on(office: Office, who: Who) -> None:
    with pytest.raises(NotPermitted):
        office.custody.put(who("requester"), "ada", "Ada", "")
    with pytest.raises(NotPermitted):
        office.custody.custodians(who("requester"))
    office.custody.put(who("operator"), "ada", "Ada Lovelace", "")
    assert [one.name for one in office.custody.custodians(who("auditor"))] == ["ada"]
    with pytest.raises(NotPermitted):
        office.custody.put(who("auditor"), "eva", "", "")
    seal = office.custody.seal(who("auditor"))
    assert seal is not None
    assert seal.kind == "key-file"


def test_one_key_is_one_person(office: Office, who: Who) -> None:
    key = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIKbNZUAAld4W6sJ7Z8YMaTKhj4lCb/BNalfpnSuLYBDW"
    office.custody.put(who("operator"), "first", "", key)
    with pytest.raises(Conflict, match="first has the same key") as caught:
        office.custody.put(who("operator"), "second", "", key)
    assert caught.value.rule == "custody.one-share"
    with pytest.raises(BadRequest):
        office.custody.put(who("operator"), "third", "", "age1nothing")


def test_who_is_retired_gets_no_new_share(office: Office, who: Who) -> None:
    operator = who("operator")
    office.custody.put(operator, "leaver", "", "")
    made = office.custody.record(operator, document("leaver", "stays", "other"))
    assert office.custody.record(operator, json.dumps(custody.to_document(made.share_set))) == made
    office.custody.retire(operator, "leaver")
    with pytest.raises(WrongState):
        office.custody.retire(operator, "leaver")
    with pytest.raises(NotFound):
        office.custody.retire(operator, "nobody")
    with pytest.raises(Conflict, match="leaver is retired"):
        office.custody.record(operator, document("leaver", "stays", "other"))
    found = office.audit.search(who("auditor"), action="custodian.retired")
    assert found[0].event.details["still_in"] == [made.share_set.id]


def test_a_set_is_of_the_keys_on_record_and_is_the_newest(office: Office, who: Who) -> None:
    operator = who("operator")
    key = str(x25519.Identity.generate().to_public())
    office.custody.put(operator, "keyed", "", f" {key}\n")
    with pytest.raises(Conflict, match="another key") as caught:
        office.custody.record(operator, document("keyed", "b", "c"))
    assert caught.value.rule == "custodian.key"
    office.custody.record(operator, document("a", Custodian("keyed", key), "c", now=1_800_000_000))
    with pytest.raises(Conflict, match="made later") as older:
        office.custody.record(operator, document("a", "b", "c"))
    assert older.value.rule == "custody.set-older"


def test_what_can_be_asked_of_an_offline_ca(office: Office, who: Who) -> None:
    operator = who("operator")
    with pytest.raises(WrongState, match="nothing waits"):
        office.bundles.export(operator)
    with pytest.raises(NotFound):
        office.bundles.export(operator, ["no-such-ca"])
    with pytest.raises(WrongState, match="waits for no certificate"):
        office.bundles.export(operator, ["issuing-ca"])
    with pytest.raises(Conflict, match="signs its CRLs here"):
        office.bundles.export(operator, [], [CrlWanted("issuing-ca")])


def test_a_request_is_proven_by_the_log_and_may_be_withdrawn(office: Office, who: Who) -> None:
    operator = who("operator")
    office.authorities.create(
        operator, NewAuthority("bundled", "main", "CN=Bundled,O=Example", external=True)
    )
    with pytest.raises(NotPermitted):
        office.bundles.export(who("requester"))
    made = office.bundles.export(operator)
    office.audit.checkpoint()
    data = office.bundles.file(operator, made.id)
    key = office.audit.verifier_key()
    request, text = signing_bundle.open_request(data, key)
    assert [(wish.kind, wish.authority) for wish in request.items] == [("certificate", "bundled")]
    assert signing_bundle.sha256(text) == made.sha256
    with pytest.raises(BadRequest):
        signing_bundle.open_request(data, VerifierKey(key.name, bytes(32)))

    office.bundles.withdraw(operator, made.id)
    answer = signing_bundle.write(
        signing_bundle.Answer(signing_bundle.ANSWER, made.id, made.sha256, "x", ())
    )
    with pytest.raises(WrongState, match="is withdrawn"):
        office.bundles.import_(operator, f"{answer}\n— x AAAA\n".encode())
    with pytest.raises(CAError):
        office.bundles.import_(operator, b"nothing of the kind")
    office.authorities.remove(operator, "bundled")


def test_events_beside_the_vault_are_taken_up_once(office: Office, who: Who) -> None:
    vault = office.settings.signer.vault
    record.note(vault, "custody.share-refused", "abcd", failed=True, rule="shares.word")
    noted = (vault / record.EVENTS).read_bytes()
    assert take_up_events(office) == 1
    assert take_up_events(office) == 0
    (vault / record.EVENTS).write_bytes(noted)  # as after a crash between commit and removal
    assert take_up_events(office) == 0
    found = office.audit.search(who("auditor"), subject_id="abcd")
    assert [one.event.outcome.value for one in found] == ["failure"]
