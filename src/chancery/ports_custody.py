"""What custodians and signing bundles need from the record."""

from typing import Protocol

from chancery.domain.custody import (
    BundleState,
    RecordedSet,
    RegisteredCustodian,
    ShareSet,
    SigningBundle,
)


class CustodyRecords(Protocol):
    """See ``domain.custody``."""

    def custodians(self) -> list[RegisteredCustodian]:
        """By name, those retired too."""
        ...

    def custodian(self, name: str) -> RegisteredCustodian | None: ...
    def put_custodian(self, custodian: RegisteredCustodian) -> None:
        """Add one, or replace what is on record under that name."""
        ...

    def sets(self) -> list[RecordedSet]:
        """Newest first."""
        ...

    def put_set(self, share_set: ShareSet) -> RecordedSet:
        """Record a set; those of its kind before it are retired.

        There is one vault and one backup key, but as many offline stores as
        you like: of those, only sets with the same id are.  The same set again
        changes nothing.
        """
        ...

    def retire_set(self, digest: str, at: int) -> None:
        """NotFound unless such a set is in force."""
        ...

    def add_bundle(self, bundle: SigningBundle) -> None: ...
    def bundle(self, bundle_id: str) -> SigningBundle | None: ...
    def bundles(
        self, state: BundleState | None, cursor: str | None, limit: int
    ) -> list[SigningBundle]:
        """Newest first, after *cursor*."""
        ...

    def close_bundle(self, bundle_id: str, state: BundleState, *, by: str, at: int) -> None:
        """Compare and set; WrongState unless it is open."""
        ...
