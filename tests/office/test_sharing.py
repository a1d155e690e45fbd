"""Many submissions at once are shared with a sibling; nobody can tell from the answers."""

import copy
from collections.abc import Callable
from dataclasses import replace

import pytest

from chancery.app.office import Office
from chancery.domain import errors
from chancery.domain.identity import Principal
from chancery.domain.request import Submission
from chancery.services.crew import help_with
from chancery.services.registration import RegistrationService
from services.csr import p256_csr

Who = Callable[[str], Principal]


class Sibling:
    """One that works in this very process; gone after *pieces* pieces of work."""

    def __init__(self, office: Office, pieces: int = 1000) -> None:
        self._work = help_with(office.registration.enqueue)
        self._pieces = pieces
        self.waiting = 0
        self.asked = 0

    def call(self) -> "Sibling":
        return self

    def ask(self, payload: bytes) -> Callable[[], bytes]:
        self.waiting += 1
        self.asked += 1
        alive = self.asked <= self._pieces
        begun = self._work(payload) if alive else None

        def later() -> bytes:
            self.waiting -= 1
            if begun is None:
                raise errors.Unavailable("gone", rule="worker.away")
            return begun()

        return later

    def close(self) -> None:
        assert self.waiting == 0


def sharing(office: Office, sibling: Sibling) -> RegistrationService:
    service = copy.copy(office.registration)
    service._siblings = sibling
    return service


@pytest.fixture(scope="module")
def submissions() -> list[Submission | errors.CAError]:
    """Six hundred for as many names; the key may be the same."""
    csrs = [p256_csr(f"shared{n}.example.org").encode() for n in range(20)]
    made: list[Submission | errors.CAError] = [
        Submission("tls-server", ra="automatic", csr=csrs[n % 20], days=1 + n % 30)
        for n in range(300)
    ]
    for number in (5, 70, 135, 200, 270):
        made[number] = replace(made[number], profile=f"no-profile-{number}")  # type: ignore[type-var]
    return made


def test_answers_in_order_wherever_they_were_made(
    office: Office, who: Who, submissions: list[Submission | errors.CAError]
) -> None:
    sibling = Sibling(office)
    answers = list(sharing(office, sibling).submit_many(who("requester"), submissions))
    assert sibling.asked == 1, "of three chunks the second"
    assert len(answers) == 300
    for number, answer in enumerate(answers):
        if number in (5, 70, 135, 200, 270):
            assert isinstance(answer, errors.NotFound)
            assert (answer.field, answer.rule) == ("profile", "profile.known")
            assert f"no-profile-{number}" in str(answer)
        else:
            assert not isinstance(answer, errors.CAError), answer
            assert answer.request.subject == f"CN=shared{number % 20}.example.org"
            assert answer.certificate is not None
            with office.store.read() as session:
                record = session.certificates.get(answer.certificate.id)
                assert record == answer.certificate


def test_a_sibling_that_ends_harms_only_what_it_had(
    office: Office, who: Who, submissions: list[Submission | errors.CAError]
) -> None:
    sibling = Sibling(office, pieces=0)
    answers = list(sharing(office, sibling).submit_many(who("requester"), submissions))
    away = [n for n, one in enumerate(answers) if isinstance(one, errors.Unavailable)]
    assert away == list(range(128, 256))


def test_unreadable_inputs_stay_here(
    office: Office, who: Who, submissions: list[Submission | errors.CAError]
) -> None:
    unread = errors.BadRequest("no JSON")
    mixed = [*submissions[:130], unread, *submissions[130:150]]
    sibling = Sibling(office)
    answers = list(sharing(office, sibling).submit_many(who("requester"), mixed))
    assert answers[130] is unread
    assert sibling.asked == 0, "of two chunks the second would be its own"
