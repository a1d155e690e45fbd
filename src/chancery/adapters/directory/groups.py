"""Groups, and the groups that those are in."""

from typing import Final

from chancery.adapters.directory.connection import Connection, TooMany
from chancery.adapters.directory.plan import LdapPlan, Nesting, place_of
from chancery.domain import directory_names
from chancery.domain.errors import BadName, Conflict

MAX_DEPTH: Final = 10
MAX_GROUPS: Final = 1000  # Active Directory hands out no more at once, and puts no more in a token
_AT_ONCE: Final = 25


class Groups:
    """Finds them by their members, so that nothing depends on what an entry says of itself."""

    def __init__(self, plan: LdapPlan) -> None:
        self._plan = plan

    def of(self, link: Connection, dn: str, login: str) -> tuple[str, ...]:
        """DNs of every group that *dn* is in; of those above them too, unless told not to.

        Conflict if there are more than can be told: half of the truth is none.
        """
        if not self._plan.group_base:
            return ()
        found: dict[object, str] = {}
        # A posixGroup lists login names, and no groups.
        frontier = [login if self._plan.member_attribute.lower() == "memberuid" else dn]
        for _ in range(MAX_DEPTH if self._plan.nesting is Nesting.SEARCH else 1):
            fresh: dict[object, str] = {}
            for start in range(0, len(frontier), _AT_ONCE):
                for name in self._containing(link, frontier[start : start + _AT_ONCE]):
                    key = _key(name)
                    if key not in found:
                        fresh[key] = name
            found |= fresh
            frontier = list(fresh.values())
            if len(found) > MAX_GROUPS:
                raise _too_many(dn)
            if not frontier:
                break
        return tuple(sorted(found.values()))

    def probe(self, link: Connection) -> None:
        """Ask as for somebody who is in no group; raises if that cannot be asked."""
        if self._plan.group_base:
            self._containing(link, [self._plan.bind_dn])

    def _containing(self, link: Connection, members: list[str]) -> list[str]:
        condition = self._plan.groups_of(len(members))
        places = {place_of(number): member for number, member in enumerate(members)}
        try:
            entries = link.search(
                self._plan.group_base, condition.encode(**places), ["1.1"], limit=MAX_GROUPS
            )
        except TooMany:
            raise _too_many(members[0]) from None
        return [entry.dn for entry in entries]


def _too_many(dn: str) -> Conflict:
    return Conflict(
        f"{dn} is in more than {MAX_GROUPS} groups",
        field="directory",
        rule="directory.groups",
        remedy="narrow group_base to the groups that mean something here",
    )


def _key(dn: str) -> object:
    try:
        return directory_names.parse(dn)
    except BadName:
        return dn
