"""The office at work: real record, real signer process, no doors."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from chancery.app.office import Office, open_office
from chancery.app.quickstart import quickstart
from chancery.app.signer_process import running_signer
from chancery.domain.identity import SYSTEM, Principal
from chancery.domain.registration import RegistrationAuthority
from chancery.settings import load

TESTERS = "testers"
Who = Callable[[str], Principal]


@pytest.fixture(
    scope="session", params=["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)]
)
def office(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Office]:
    """A fresh instance on each engine, with an RA that issues at once."""
    directory = tmp_path_factory.mktemp("office") / "instance"
    database = None
    if request.param == "postgres":
        database = request.getfixturevalue("postgres_server").database()
    quickstart(directory, database=database)
    settings = load(directory / "chancery.toml")
    with running_signer(settings.signer), open_office(settings) as opened:
        opened.identity.groups.create(SYSTEM, TESTERS)
        for name in ("requester", "officer1", "officer2"):
            opened.identity.groups.add_member(SYSTEM, TESTERS, name)
        opened.ras.put(
            SYSTEM,
            RegistrationAuthority(
                name="automatic",
                profiles=("tls-server", "user", "tls-client"),
                authorities=("issuing-ca",),
                approval_group="officers",
                approvals=0,
                anonymous=False,
                submit_groups=(TESTERS,),
            ),
            accept_risks={"upn-chosen": "nothing trusts the CA of a test"},
        )
        yield opened


@pytest.fixture(scope="session")
def who(office: Office) -> Who:
    """A signed-in account of the quickstart, by its token."""
    home: Path = office.settings.database.url_file.parent

    def sign_in(name: str) -> Principal:
        token = (home / "tokens" / f"{name}.token").read_text().strip()
        return office.identity.authenticate_token(token, "192.0.2.7")

    return sign_in
