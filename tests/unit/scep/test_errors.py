"""Each error has a failInfo, and each setting a check."""

import pytest

from chancery.domain import errors
from chancery.domain.errors import BadRequest
from chancery.protocols.scep import settings
from chancery.protocols.scep.errors import FAILURES, fail_info, unopened
from chancery.wire.scep import FailInfo

KINDS = [k for k in vars(errors).values() if isinstance(k, type) and issubclass(k, errors.CAError)]


@pytest.mark.parametrize("kind", KINDS)
def test_every_error_has_a_fail_info(kind: type[errors.CAError]) -> None:
    assert isinstance(fail_info(kind("why")), FailInfo)


@pytest.mark.parametrize("later", range(len(FAILURES)))
def test_no_row_hides_a_later_one(later: int) -> None:
    kind = FAILURES[later][0]
    assert not any(issubclass(kind, earlier[0]) for earlier in FAILURES[:later])


def test_rules_say_more_than_classes() -> None:
    assert fail_info(unopened()) is FailInfo.BAD_MESSAGE_CHECK
    assert fail_info(BadRequest("", rule="cms.algorithm.cipher")) is FailInfo.BAD_ALG
    assert fail_info(BadRequest("", rule="cms.signature")) is FailInfo.BAD_MESSAGE_CHECK


def test_settings_are_filled_up_and_checked() -> None:
    full = settings.check({"legacy": True})
    assert full["legacy"] is True
    assert full["shared_challenge"] is False
    assert settings.check(full) == full
    for wrong in ({"legcy": True}, {"legacy": 1}, {"legacy": "yes"}, {"mdm": "a b"}, {"mdm": None}):
        with pytest.raises(BadRequest):
            settings.check(wrong)
