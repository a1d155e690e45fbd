"""Each error has an HTTP status and a CMC reason; no row of a table hides a later one."""

import pytest

from chancery.domain import errors
from chancery.protocols.est.errors import STATUSES, retry_after, status_of, text_of
from chancery.protocols.est.full_cmc import FAILURES

KINDS = [k for k in vars(errors).values() if isinstance(k, type) and issubclass(k, errors.CAError)]
LEAVES = [k for k in KINDS if k is not errors.CAError]


@pytest.mark.parametrize("kind", LEAVES)
def test_every_error_has_an_answer(kind: type[errors.CAError]) -> None:
    assert kind in {row[0] for row in STATUSES}
    assert any(issubclass(kind, row[0]) for row in FAILURES)
    ours = kind in (errors.SignerRefused, errors.LintFailed)
    assert (status_of(kind("why")) == 500) is ours
    assert text_of(kind("why", remedy="do so")) == ("internal error" if ours else "why: do so")


@pytest.mark.parametrize("table", [STATUSES, FAILURES])
def test_no_row_hides_a_later_one(table: tuple[tuple[type, object], ...]) -> None:
    for later, (kind, _) in enumerate(table):
        assert not any(issubclass(kind, earlier) for earlier, _ in table[:later])


def test_the_text_of_a_bug_stays_inside() -> None:
    assert status_of(KeyError("secret.db")) == 500
    assert text_of(KeyError("secret.db")) == "internal error"


def test_when_to_try_again() -> None:
    assert retry_after(errors.TooOften("slow down", retry_after_s=9)) == 9
    assert retry_after(errors.Unavailable("away")) == 5
    assert retry_after(errors.NotPermitted("no")) is None
