"""OCSP must have a word for each error, and no row may hide a later one."""

import pytest

from chancery.domain import errors
from chancery.protocols.ocsp.handler import FAILURES, failure_of
from chancery.wire.ocsp import Failure

KINDS = [k for k in vars(errors).values() if isinstance(k, type) and issubclass(k, errors.CAError)]


@pytest.mark.parametrize("kind", KINDS)
def test_every_error_has_a_word(kind: type[errors.CAError]) -> None:
    assert isinstance(failure_of(kind("why")), Failure)


@pytest.mark.parametrize("later", range(len(FAILURES)))
def test_no_row_hides_a_later_one(later: int) -> None:
    kind = FAILURES[later][0]
    assert not any(issubclass(kind, earlier[0]) for earlier in FAILURES[:later])
