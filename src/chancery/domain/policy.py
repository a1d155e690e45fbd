"""What policy was, and which of its risks somebody accepted."""

from dataclasses import dataclass
from enum import StrEnum


class PolicyKind(StrEnum):
    """What has versions."""

    PROFILE = "profile"
    DN_PROFILE = "dn-profile"
    RA = "ra"


@dataclass(frozen=True, slots=True)
class PolicyVersion:
    """One version of a DN profile or an RA.  *document* is its canonical JSON.

    Numbers count up from 1 per kind and name, also over a deletion.  Times
    are Unix seconds.
    """

    kind: PolicyKind
    name: str
    version: int
    sha256: str
    document: str
    created_at: int
    created_by: str


@dataclass(frozen=True, slots=True)
class AcceptedRisk:
    """Why an administrator lets a blocking finding stand.  *risk* is the finding's id."""

    kind: PolicyKind
    name: str
    risk: str
    reason: str
    accepted_by: str
    accepted_at: int
