import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from chancery.signer import vault
from chancery.signer.journal import Journal
from chancery.signer.service import Signer
from chancery.signer.unseal.key_file import KeyFile
from chancery.signer.vault import open_vault

OpenSigner = Callable[[], Signer]


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """A directory with an unseal key and an empty vault."""
    tmp_path.chmod(0o700)
    secret = tmp_path / "unseal.key"
    secret.touch(0o600)
    secret.write_bytes(os.urandom(32))
    vault.create(tmp_path / "vault", KeyFile(secret))
    return tmp_path


@pytest.fixture
def signer(home: Path) -> Iterator[Signer]:
    """A signer in this process: the same code as behind the socket."""
    opened = open_vault(home / "vault", KeyFile(home / "unseal.key"))
    journal = Journal(home / "journal")
    yield Signer(opened, journal)
    journal.close()
    opened.close()
