"""An estate taken over: certificates that exist already, and how each was judged."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final

PROFILE: Final = "imported"
"""What stands as the profile of a certificate that was not made here: no template made it."""

FOREIGN: Final = "foreign:"
"""Before the name under which the certificates of an issuer stand that is no CA on record."""

ENTRY: Final = "entry:"
"""Before what stands as the hash of a certificate that is known by an entry in a list alone."""


class ImportState(StrEnum):
    PREVIEW = "preview"  # nothing is on record yet
    RUNNING = "running"  # begun; goes on where it stopped
    DONE = "done"


class Outcome(StrEnum):
    """What is to become of a row, or became of it."""

    NEW = "new"
    UPDATE = "update"  # imported before; its revocation is news
    KNOWN = "known"  # on record, or in the files twice
    PROBLEM = "problem"
    IMPORTED = "imported"
    UPDATED = "updated"


PENDING: Final = frozenset({Outcome.NEW, Outcome.UPDATE})


class Issuer(StrEnum):
    """Whose a certificate is."""

    OWN = "own"  # a CA whose key is here: our CRLs and OCSP answers speak of it
    EXTERNAL = "external"  # a CA on record whose key is elsewhere
    FOREIGN = "foreign"  # nobody on record


@dataclass(frozen=True, slots=True)
class EstateRow:
    """One certificate of the files, or one line that is none.

    *number* counts from 1 over all files, *line* within *file*.  *authority* is
    a CA on record, or FOREIGN and a mark of its issuer.  *status* and *reason*
    are as on record, taken for granted unless a list *tells_status*; *names*
    are texts.  *problem*, *rule* and *remedy* say why it cannot be imported;
    *note* is for the reader.
    """

    number: int
    file: str
    line: int
    outcome: Outcome
    issuer_kind: Issuer = Issuer.FOREIGN
    authority: str = ""
    issuer: str = ""
    serial: str = ""
    subject: str = ""
    names: tuple[str, ...] = ()
    not_before: int | None = None
    not_after: int | None = None
    tells_status: bool = False
    status: str = "valid"
    revoked_at: int | None = None
    reason: int | None = None
    invalidity_date: int | None = None
    sha256: str = ""
    key_sha256: str = ""
    problem: str | None = None
    rule: str | None = None
    remedy: str | None = None
    note: str | None = None


@dataclass(frozen=True, slots=True)
class ImportChoices:
    """What the files do not say.

    *authority* issued what comes without its certificate; *columns* maps what
    a column of a CSV holds to its heading; serials in it are *decimal*.
    """

    authority: str | None = None
    columns: Mapping[str, str] = field(default_factory=dict)
    decimal: bool = False


@dataclass(frozen=True, slots=True)
class EstateImport:
    """One import.  *position*: rows decided so far; *counts* by outcome."""

    id: str
    state: ImportState
    created_by: str
    created_at: int
    finished_at: int | None
    files: tuple[str, ...]
    choices: ImportChoices
    total: int
    position: int
    counts: Mapping[Outcome, int] = field(default_factory=dict)
