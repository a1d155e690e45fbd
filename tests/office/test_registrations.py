"""Registration authorities: what none may say."""

from dataclasses import replace

import pytest

from chancery.app.office import Office
from chancery.domain import errors
from chancery.domain.identity import SYSTEM
from chancery.domain.registration import RaFilter


@pytest.mark.parametrize(
    ("change", "field", "rule"),
    [
        ({"approvals": 9}, "ra.approvals", "ra.approvers"),
        ({"authorities": ("off",)}, "ra.authorities", "authority.online"),
        ({"authorities": ("nope",)}, "ra.authorities", "authority.known"),
        ({"profiles": ("nope",)}, "ra.profiles", "profile.known"),
        ({"submit_groups": ("nope",)}, "ra.submit_groups", "group.known"),
        ({"name": "A b"}, "ra.name", "name.syntax"),
    ],
)
def test_what_could_never_issue_is_refused(
    office: Office, change: dict[str, object], field: str, rule: str
) -> None:
    with office.store.read() as session:
        if session.authorities.get("off") is None:
            root = session.authorities.all()[0]
            off = replace(root, name="off", offline=True, key_id=None)
            office.store.write(lambda s: s.authorities.add(off))
    ra = replace(office.ras.show(SYSTEM, "automatic"), **change)  # type: ignore[arg-type]
    with pytest.raises(errors.BadRequest) as refusal:
        office.ras.put(SYSTEM, ra)
    assert (refusal.value.field, refusal.value.rule) == (field, rule)
    assert refusal.value.remedy


def test_they_are_found_by_what_they_do(office: Office) -> None:
    def names(**conditions: object) -> set[str]:
        where = RaFilter(**conditions)  # type: ignore[arg-type]
        return {ra.name for ra in office.ras.find(SYSTEM, where)} & {"main", "service", "automatic"}

    assert names() == {"main", "service", "automatic"}
    assert names(text="STRANGER") == set()
    assert names(text="own TLS") == {"service"}
    assert names(profile="user") == {"main", "automatic"}
    assert names(authority="root-ca") == set()
    assert names(public=True, disabled=False) == {"main"}
    assert names(disabled=True) == set()


def test_a_group_that_may_submit_somewhere_stays(office: Office) -> None:
    with pytest.raises(errors.Conflict) as refusal:
        office.identity.groups.delete(SYSTEM, "testers")
    assert refusal.value.rule == "identity.group-in-use"


def test_not_found_says_where_to_look(office: Office) -> None:
    for ask in (
        lambda: office.ras.show(SYSTEM, "nope"),
        lambda: office.ras.delete(SYSTEM, "nope"),
        lambda: office.profiles.show(SYSTEM, "nope"),
        lambda: office.profiles.versions(SYSTEM, "nope"),
        lambda: office.profiles.retire(SYSTEM, "nope"),
        lambda: office.profiles.dn_show(SYSTEM, "nope"),
        lambda: office.profiles.dn_delete(SYSTEM, "nope"),
        lambda: office.certificates.show(SYSTEM, "77"),
        lambda: office.identity.users.show(SYSTEM, "nope"),
        lambda: office.identity.groups.show(SYSTEM, "nope"),
        lambda: office.identity.tokens.revoke(SYSTEM, "nope"),
        lambda: office.identity.certificates.unbind(SYSTEM, "admin", "00"),
    ):
        with pytest.raises(errors.NotFound) as refusal:
            ask()
        assert refusal.value.rule
        assert refusal.value.remedy
