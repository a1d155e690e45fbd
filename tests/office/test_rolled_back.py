"""A record that is not the one that was signed: told at once, whatever grew since."""

from pathlib import Path

import pytest

from chancery.app.office import open_office
from chancery.app.quickstart import quickstart
from chancery.app.signer_process import running_signer
from chancery.domain.identity import SYSTEM
from chancery.services.audit import AuditTampered, event
from chancery.settings import load


def test_a_restored_database_that_grew_again(tmp_path: Path) -> None:
    quickstart(tmp_path / "i")
    settings = load(tmp_path / "i" / "chancery.toml")
    record = tmp_path / "i" / "data" / "chancery.db"
    old = record.read_bytes()

    def grow(what: str, times: int) -> None:
        with open_office(settings) as office:
            for number in range(times):
                leaf = event(SYSTEM, what, str(number))
                office.store.write(lambda s, leaf=leaf: s.audit.append([leaf], office.clock.ms()))
            if what == "first.told":
                office.audit.checkpoint()

    with running_signer(settings.signer):
        grow("first.told", 3)
        for name in record.parent.iterdir():
            name.unlink()
        record.write_bytes(old)
        record.chmod(0o600)
        grow("then.told", 7)  # longer than what was signed: only the content tells
        with open_office(settings) as office, pytest.raises(AuditTampered) as found:
            office.audit.standing()
    assert found.value.rule == "audit.rolled-back"
