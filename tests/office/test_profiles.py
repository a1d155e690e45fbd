"""Profiles: versions that come, go and come back."""

from dataclasses import replace

import pytest

from chancery.app.office import Office
from chancery.domain import errors
from chancery.domain.identity import SYSTEM


def test_a_retired_profile_comes_back(office: Office) -> None:
    first = replace(office.profiles.show(SYSTEM, "user").profile, name="returning")
    one = office.profiles.put(SYSTEM, first)
    two = office.profiles.put(SYSTEM, replace(first, description="other"))
    office.profiles.retire(SYSTEM, "returning")
    with pytest.raises(errors.NotFound) as refusal:
        office.profiles.show(SYSTEM, "returning")
    assert refusal.value.remedy
    assert office.profiles.put(SYSTEM, first) == one
    assert office.profiles.show(SYSTEM, "returning") == one
    assert [v.version for v in office.profiles.versions(SYSTEM, "returning")] == [1, 2]
    three = office.profiles.put(SYSTEM, replace(first, description="new"))
    assert (one.version, two.version, three.version) == (1, 2, 3)
    with office.store.read() as session:
        log = session.audit.find(subject_id="returning")
    assert [record.event.action.partition(".")[2] for record in log] == [
        "created", "restored", "retired", "created", "created",
    ]  # fmt: skip
