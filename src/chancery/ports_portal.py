"""What the public portal needs from the record."""

from collections.abc import Sequence
from typing import Protocol

from chancery.domain.portal import (
    KeyPickup,
    RevocationChallenge,
    RevocationRequest,
    RevocationRequestState,
)


class PortalRecords(Protocol):
    """See ``domain.portal``."""

    def requests_with_code(self, code_sha256: str, limit: int) -> list[str]:
        """Ids of the requests that carry this code, oldest first."""
        ...

    def add_challenge(self, challenge: RevocationChallenge) -> None: ...
    def take_challenge(self, text: str) -> RevocationChallenge | None:
        """Return a challenge and forget it: it counts once."""
        ...

    def drop_challenges(self, expired_at: int) -> None:
        """Forget those whose time was up at that moment."""
        ...

    def ask_revocation(self, wish: RevocationRequest) -> None:
        """AlreadyExists if one is open for the same certificate."""
        ...

    def revocation_request(self, wish_id: str) -> RevocationRequest | None: ...
    def revocation_requests(
        self,
        state: RevocationRequestState | None,
        cursor: str | None,
        limit: int,
        *,
        ra: str | None = None,
    ) -> list[RevocationRequest]:
        """Newest first, after *cursor*."""
        ...

    def revocation_requests_of(self, request_id: str) -> list[RevocationRequest]:
        """All there were about one request's certificate, newest first."""
        ...

    def answer_revocation(
        self, wish_id: str, state: RevocationRequestState, *, by: str, at: int, answer: str
    ) -> None:
        """Compare and set; WrongState unless it is open."""
        ...

    def pickup(self, request_id: str) -> KeyPickup | None: ...
    def picked_up(self, request_id: str, now: int) -> None:
        """Count one more fetch; the first moment stays."""
        ...

    def keys_to_destroy(self, first_before: int, limit: int) -> Sequence[tuple[str, str]]:
        """(request id, key id in the vault) of keys that were first fetched before that moment."""
        ...

    def key_destroyed(self, request_id: str) -> None: ...
