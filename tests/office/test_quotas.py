"""Quotas of registration authorities."""

import uuid
from collections.abc import Callable
from dataclasses import replace

import pytest

from chancery.app.office import Office
from chancery.domain import errors
from chancery.domain.identity import SYSTEM, Principal, anonymous
from chancery.domain.registration import RegistrationAuthority
from chancery.domain.request import RequestState, Submission
from chancery.ports import Page, RequestFilter
from services.csr import p256_csr

Who = Callable[[str], Principal]


def limited(office: Office, base: str = "automatic", **quotas: int) -> RegistrationAuthority:
    """Some RA with these quotas, that nobody has asked anything yet."""
    ra = office.ras.show(SYSTEM, base)
    name = f"limited-{uuid.uuid4().hex[:8]}"
    return office.ras.put(
        SYSTEM,
        replace(ra, name=name, profiles=("tls-server",), **quotas),  # type: ignore[arg-type]
    )


def ask(ra: RegistrationAuthority) -> Submission:
    return Submission("tls-server", ra=ra.name, csr=p256_csr("q.example.org").encode())


def test_a_day_of_one_account(office: Office, who: Who) -> None:
    ra = limited(office, daily_per_requester=2)
    submit = office.registration.submit
    refused = []
    for _ in range(3):
        try:
            submit(who("requester"), ask(ra))
        except errors.TooOften as error:
            refused.append(error)
    assert [(error.rule, bool(error.remedy)) for error in refused] == [("ra.quota-daily", True)]
    submit(who("officer1"), ask(ra))  # somebody else's day
    assert len(office.ras.versions(SYSTEM, ra.name)) == 1
    with office.store.read() as session:  # what was refused is not on record
        assert len(session.requests.find(RequestFilter(ra=ra.name), Page())) == 3


def test_many_at_once_are_counted_one_by_one(office: Office, who: Who) -> None:
    ra = limited(office, daily_per_requester=5)
    answers = list(office.registration.submit_many(who("requester"), [ask(ra) for _ in range(12)]))
    issued = [one for one in answers if not isinstance(one, errors.CAError)]
    assert len(issued) == 5
    assert {type(one) for one in answers if one not in issued} == {errors.TooOften}


def test_undecided_requests_of_one_address(office: Office, who: Who) -> None:
    ra = limited(office, "main", open_per_requester=1)
    here, there = anonymous("2001:db8:1:2::7"), anonymous("2001:db8:1:3::7")
    first = office.registration.submit(here, ask(ra)).request
    for origin in (here, anonymous("2001:db8:1:2::8")):  # the same site
        with pytest.raises(errors.TooOften) as refusal:
            office.registration.submit(origin, ask(ra))
        assert refusal.value.rule == "ra.quota-open"
    office.registration.submit(there, ask(ra))
    office.decisions.deny(who("officer1"), first.id, "not now")
    again = office.registration.submit(here, ask(ra)).request
    assert again.state is RequestState.PENDING


def test_a_disabled_one_takes_nothing_in(office: Office, who: Who) -> None:
    ra = limited(office)
    office.ras.put(SYSTEM, replace(ra, disabled=True))
    with pytest.raises(errors.WrongState) as refusal:
        office.registration.submit(who("requester"), ask(ra))
    assert (refusal.value.rule, bool(refusal.value.remedy)) == ("ra.disabled", True)


def test_one_with_undecided_requests_is_not_deleted(office: Office, who: Who) -> None:
    ra = limited(office, "main")
    request = office.registration.submit(who("requester"), ask(ra)).request
    assert office.ras.waiting(SYSTEM, ra.name) == 1
    with pytest.raises(errors.Conflict, match="1 undecided request") as refusal:
        office.ras.delete(SYSTEM, ra.name)
    assert "disable" in str(refusal.value.remedy)
    office.ras.put(SYSTEM, replace(ra, disabled=True))
    office.decisions.deny(who("officer1"), request.id, "closing")
    office.ras.delete(SYSTEM, ra.name)
