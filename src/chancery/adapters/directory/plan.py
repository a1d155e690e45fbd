"""Where a directory is, and what it is asked."""

from dataclasses import dataclass
from enum import StrEnum

from chancery.wire.ldap_filter import IN_CHAIN, Filter, both, parse


class Nesting(StrEnum):
    """How groups within groups are found."""

    NONE = "none"
    SEARCH = "search"  # group by group, upwards
    IN_CHAIN = "in-chain"  # the directory does it in one search: Active Directory


@dataclass(frozen=True, slots=True)
class Server:
    """One server.  *tls* from the first octet (ldaps), or else after StartTLS; never without."""

    host: str
    port: int
    tls: bool

    def __str__(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{'ldaps' if self.tls else 'ldap'}://{host}:{self.port}"


@dataclass(frozen=True, slots=True)
class LdapPlan:
    """One directory.  Filters hold ``{login}`` where what somebody typed belongs."""

    name: str
    servers: tuple[Server, ...]
    ca: str  # PEM: who may certify the servers
    bind_dn: str
    bind_password: str
    base: str
    user_filter: str
    active_filter: str  # must hold besides, "" for nothing; asked again and again
    login_attribute: str
    id_attribute: str
    name_attribute: str
    mail_attribute: str
    group_base: str
    member_attribute: str
    nesting: Nesting
    timeout_s: float = 5.0
    pause_s: float = 5.0  # after every server failed, nobody waits for them again so long

    def __repr__(self) -> str:  # it may end up in a log, and holds a password
        return f"LdapPlan({self.name!r})"

    @property
    def binary_id(self) -> bool:
        """Active Directory's objectGUID is 16 octets; every other kind of id is text."""
        return self.id_attribute.lower() == "objectguid"

    @property
    def attributes(self) -> tuple[str, ...]:
        names = (self.login_attribute, self.id_attribute, self.name_attribute, self.mail_attribute)
        return tuple(dict.fromkeys((*names, "cn")))

    def by_login(self) -> Filter:
        return both(parse(self.user_filter), self._active())

    def by_id(self) -> Filter:
        return both(parse(f"({self.id_attribute}={{subject}})"), self._active())

    def groups_of(self, count: int) -> Filter:
        """Which groups have any of *count* members: places ``a``, ``b`` ..."""
        rule = f":{IN_CHAIN}:" if self.nesting is Nesting.IN_CHAIN else ""
        rows = "".join(f"({self.member_attribute}{rule}={{{place_of(n)}}})" for n in range(count))
        return parse(rows if count == 1 else f"(|{rows})")

    def _active(self) -> Filter | None:
        return parse(self.active_filter) if self.active_filter else None


def place_of(number: int) -> str:
    """The name of place *number*: letters alone, as places are."""
    letters = ""
    while True:
        number, rest = divmod(number, 26)
        letters = chr(ord("a") + rest) + letters
        if not number:
            return letters
