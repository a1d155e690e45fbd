"""Plans for the OpenLDAP of the tests."""

from dataclasses import replace
from typing import Any
from urllib.parse import urlsplit

from chancery.adapters.directory import LdapPlan, Server
from chancery.adapters.directory.plan import Nesting
from services.slapd import GROUPS, PEOPLE, READER, READER_PASSWORD, Slapd


def server_of(url: str) -> Server:
    parts = urlsplit(url)
    assert parts.hostname is not None
    assert parts.port is not None
    return Server(parts.hostname, parts.port, parts.scheme == "ldaps")


def plan_of(slapd: Slapd, **changes: Any) -> LdapPlan:
    """A plan that fits *slapd*, over LDAPS."""
    plan = LdapPlan(
        name="corp",
        servers=(server_of(slapd.ldaps),),
        ca=slapd.authority.pem.decode(),
        bind_dn=READER,
        bind_password=READER_PASSWORD,
        base=PEOPLE,
        user_filter="(&(objectClass=inetOrgPerson)(uid={login}))",
        active_filter="(employeeType=active)",
        login_attribute="uid",
        id_attribute="entryUUID",
        name_attribute="displayName",
        mail_attribute="mail",
        group_base=GROUPS,
        member_attribute="member",
        nesting=Nesting.SEARCH,
        timeout_s=3,
        pause_s=0.2,
    )
    return replace(plan, **changes)
