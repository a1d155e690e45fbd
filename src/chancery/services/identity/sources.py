"""Who vouches for accounts: directories and identity providers, as the settings name them."""

import hashlib
import re
import unicodedata
from dataclasses import dataclass
from typing import Final

from chancery.domain.directory import Mapping, Person
from chancery.ports_directory import Directory, IdentityProvider

_ODD: Final = re.compile(r"[^a-z0-9._@-]+")
_MAX_NAME: Final = 64  # as ``policy.ACCOUNT_NAME``


@dataclass(frozen=True, slots=True)
class Source:
    """*name* as the settings have it; *key* under which its people are known on record.

    Accounts are called after the login there, with *suffix* (``@`` and more)
    behind it: so they can never be, or be taken for, somebody local.
    """

    name: str
    key: str
    suffix: str
    mapping: Mapping

    def account_names(self, person: Person) -> tuple[str, str]:
        """What the account of *person* is called, and what if that is taken.

        The second ends in a mark of the person: two people whose logins would
        make one name, or one name after the other, stay two.
        """
        folded = unicodedata.normalize("NFKC", person.login).lower()
        plain = _ODD.sub("-", folded).lstrip("-._@")
        mark = hashlib.sha256(f"{self.key}\n{person.subject}".encode()).hexdigest()[:8]
        room = _MAX_NAME - len(self.suffix)
        marked = f"{plain[: room - 9]}-{mark}" if plain else mark
        fits = plain == folded and 0 < len(plain) <= room
        return (plain if fits else marked) + self.suffix, marked + self.suffix


@dataclass(frozen=True, slots=True)
class DirectorySource:
    """*searched*: names without a suffix are looked up in it, too."""

    source: Source
    directory: Directory
    searched: bool = True
    recheck_s: int = 60  # how old its word may be when somebody acts on it


@dataclass(frozen=True, slots=True)
class ProviderSource:
    """An OpenID provider.  *title* stands on the button."""

    source: Source
    provider: IdentityProvider
    title: str
    issuer: str
    client_id: str
    redirect_uri: str
    signed_out_uri: str
    login_claim: str = "preferred_username"
    group_claim: str = "groups"
    acr_values: tuple[str, ...] = ()  # one of these is demanded, if there are any
    leeway_s: int = 60
    standing_s: int = 8 * 3600  # how long its word is good for what a token or session does
