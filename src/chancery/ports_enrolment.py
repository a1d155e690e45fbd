"""What doors need from the record, and from a device manager."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from chancery.domain.certificate import CertificateRecord
from chancery.domain.door import Door, Seen
from chancery.domain.enrolment import Credential, CredentialState, Transaction


class Doors(Protocol):
    """See ``domain.door``."""

    def get(self, name: str) -> Door | None: ...
    def all(self) -> list[Door]:
        """By name."""
        ...

    def put(self, door: Door) -> None: ...
    def delete(self, name: str) -> None:
        """NotFound unless it is there; its credentials and transactions go with it."""
        ...


class Enrolments(Protocol):
    """Credentials, transactions, and what was seen lately."""

    def add_credential(self, credential: Credential) -> None:
        """AlreadyExists if its door knows the reference."""
        ...

    def credential(self, credential_id: str) -> Credential | None: ...
    def by_reference(self, door: str, reference: str) -> Credential | None: ...
    def credentials(
        self, door: str | None, state: CredentialState | None, cursor: str | None, limit: int
    ) -> list[Credential]:
        """Newest first, after *cursor*."""
        ...

    def spend(self, credential_id: str, now: int) -> bool:
        """Use it once; False unless it is open, has a use left and is not expired."""
        ...

    def failed(self, credential_id: str) -> Credential | None:
        """Count a failure; the one that is too many locks it.  Returns it as it is now."""
        ...

    def set_credential_state(
        self, credential_id: str, state: CredentialState, now: int | None = None
    ) -> None: ...

    def set_credential_data(self, credential_id: str, data: Mapping[str, object]) -> None: ...
    def delete_credential(self, credential_id: str) -> None: ...
    def transaction(self, door: str, transaction_id: str) -> Transaction | None: ...
    def add_transaction(self, transaction: Transaction) -> None:
        """AlreadyExists if the door knows it."""
        ...

    def set_transaction_data(
        self, door: str, transaction_id: str, data: Mapping[str, object]
    ) -> None: ...

    def forget_transactions(self, before: int, limit: int) -> int:
        """Drop those made before that second; return how many there were."""
        ...

    def add_seen(self, seen: Sequence[Seen]) -> None: ...
    def seen(self, door: str, limit: int) -> list[Seen]:
        """Newest first."""
        ...

    def forget_seen(self, before: int) -> None: ...


@dataclass(frozen=True, slots=True)
class ManagedRequest:
    """What a device manager is asked about: *transaction* as the client numbers it, *csr* DER."""

    transaction: str
    csr: bytes


class DeviceManager(Protocol):
    """A service that made the challenge of a SCEP client and understands it.

    Shaped like Intune's for third-party CAs.  *manager* is the name of a
    webhook.  Safe for concurrent use.
    """

    def validate(self, manager: str, asked: ManagedRequest) -> None:
        """Return if it agrees; NotAuthenticated if not, Unavailable if it does not answer."""
        ...

    def succeeded(self, manager: str, asked: ManagedRequest, issued: CertificateRecord) -> None:
        """Tell it what was issued.  Never raises: the device has its certificate anyway."""
        ...

    def failed(self, manager: str, asked: ManagedRequest, why: str) -> None:
        """Tell it that nothing was issued.  Never raises."""
        ...
