"""Services that several kinds of test start: here because fixtures are found upwards."""

import os
from collections.abc import Iterator

import pytest
from hypothesis import settings

from services import oidc_provider, postgres, slapd

settings.register_profile("untimed", deadline=None)  # how fast it is depends on the machine
settings.load_profile("untimed")


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[postgres.Server]:
    """A private PostgreSQL.  Absent: a loud skip, or a failure where CHANCERY_REQUIRE_POSTGRES is set."""
    try:
        server = postgres.Server.create()
    except postgres.Missing as missing:
        if os.environ.get("CHANCERY_REQUIRE_POSTGRES"):
            pytest.fail(f"CHANCERY_REQUIRE_POSTGRES is set, but {missing}")
        pytest.skip(str(missing))
    yield server
    server.remove()


@pytest.fixture(scope="session")
def postgres_database(postgres_server: postgres.Server) -> str:
    """URL of an empty database that one session-wide user owns."""
    return postgres_server.database()


@pytest.fixture(scope="session")
def directory_server() -> Iterator[slapd.Slapd]:
    """A private OpenLDAP.  Absent: a loud skip, or a failure where CHANCERY_REQUIRE_SLAPD is set."""
    try:
        server = slapd.Slapd.create()
    except slapd.Missing as missing:
        if os.environ.get("CHANCERY_REQUIRE_SLAPD"):
            pytest.fail(f"CHANCERY_REQUIRE_SLAPD is set, but {missing}")
        pytest.skip(str(missing))
    yield server
    server.remove()


@pytest.fixture(scope="session")
def openid_provider() -> Iterator[oidc_provider.Provider]:
    """npm's oidc-provider.  Absent: a loud skip, or a failure where CHANCERY_REQUIRE_OIDC is set."""
    try:
        server = oidc_provider.Provider.create(
            "https://ca.example.org/console/sign-in/provider/op/return"
        )
    except oidc_provider.Missing as missing:
        if os.environ.get("CHANCERY_REQUIRE_OIDC"):
            pytest.fail(f"CHANCERY_REQUIRE_OIDC is set, but {missing}")
        pytest.skip(str(missing))
    yield server
    server.remove()
