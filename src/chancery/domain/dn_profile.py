"""How a subject name is built: a distinguished-name profile (issue text: ordered attributes)."""

from dataclasses import dataclass
from enum import StrEnum

from chancery.domain.names import Syntax


class ValueSource(StrEnum):
    """Where the value of an attribute comes from."""

    FIXED = "fixed"  # the profile's own value, always
    DEFAULT = "default"  # the profile's value unless the requester gives one
    CSR = "csr"  # the CSR's subject
    REQUESTER = "requester"  # the request's `subject` fields, never the CSR


@dataclass(frozen=True, slots=True)
class AttributeRule:
    """One attribute of a subject.

    *rdn* groups attributes into multi-valued RDNs: equal numbers share one.
    Lengths count characters.  *regex* must match the whole value.
    """

    oid: str
    syntax: Syntax
    source: ValueSource
    value: str | None = None
    required: bool = False
    editable: bool = False
    min_length: int = 1
    max_length: int = 64
    regex: str | None = None
    rdn: int | None = None


class Uniqueness(StrEnum):
    """Whether two valid certificates of one issuer may carry the same subject."""

    NONE = "none"
    SUBJECT = "subject"  # no second unexpired, unrevoked certificate with this subject
    SUBJECT_AND_KEY = "subject-and-key"  # the same subject only with the same key (renewal)


@dataclass(frozen=True, slots=True)
class DnProfile:
    """An ordered list of attribute rules."""

    name: str
    attributes: tuple[AttributeRule, ...]
    uniqueness: Uniqueness = Uniqueness.NONE
    description: str = ""
