"""What responder keys sign is counted in the journal, whatever the disk does meanwhile."""

import hashlib
from collections.abc import Sequence

from chancery.domain.errors import Unavailable
from chancery.signer.journal import Draft, Operation
from chancery.signer.status_ledger import CHECK_EVERY, StatusLedger


class Disk:
    """Takes entries, or is full."""

    def __init__(self) -> None:
        self.entries: list[Draft] = []
        self.full = False

    def append(self, drafts: Sequence[Draft]) -> None:
        if self.full:
            raise Unavailable("no room")
        self.entries += drafts


def ledger(disk: Disk) -> StatusLedger:
    return StatusLedger(disk, every_s=3600)  # type: ignore[arg-type]


def test_one_entry_counts_all_that_a_key_signed() -> None:
    disk = Disk()
    counting = ledger(disk)
    counting.note("a", [b"one", b"two"])
    counting.note("b", [b"x"])
    counting.note("a", [b"three"])
    counting.close()
    found = {one.key_id: one for one in disk.entries}
    assert {key: one.detail for key, one in found.items()} == {
        "a": {"signatures": "3"}, "b": {"signatures": "1"},
    }  # fmt: skip
    assert found["a"].tbs_sha256 == hashlib.sha256(b"onetwothree").digest()
    assert found["a"].operation is Operation.OCSP


def test_a_full_disk_loses_no_count() -> None:
    disk = Disk()
    counting = ledger(disk)
    disk.full = True
    counting.note("a", [b"one"])
    counting._flush()
    counting.note("a", [b"two"])
    counting._flush()
    disk.full = False
    counting.close()
    assert [one.detail for one in disk.entries] == [{"signatures": "2"}]


def test_one_signature_in_so_many_is_verified_and_the_first_of_all() -> None:
    counting = ledger(Disk())
    checked = [counting.to_check("a", 1) for _ in range(2 * CHECK_EVERY + 1)]
    assert [n for n, one in enumerate(checked) if one] == [0, CHECK_EVERY, 2 * CHECK_EVERY]
    assert counting.to_check("b", CHECK_EVERY)
