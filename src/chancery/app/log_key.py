"""``chancery audit new-key``: the log goes on under a new key, on a token if that is wanted.

Its records stay, and hash to what they did; the first new one carries the last
checkpoint of the former key.  A log is one key's, so its name changes as well,
and its tiles are made again under the new one.
"""

import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from chancery.app.instance_files import Layout, write_private
from chancery.app.office import open_office
from chancery.app.restore import new_verifier, with_log
from chancery.app.scratch import brief_signer
from chancery.domain.algorithms import KeyAlgorithm
from chancery.domain.errors import BadRequest
from chancery.domain.identity import SYSTEM
from chancery.domain.keys import KeyPurpose
from chancery.services.audit import event
from chancery.settings import Settings, load


@dataclass(frozen=True, slots=True)
class _New:
    origin: str
    key_id: str
    vault: str


def new_log_key(config: Path, vault: str, vault_shares: Sequence[str] = ()) -> dict[str, Any]:
    """Give a stopped instance's log a new key in *vault*; return what there is to tell.

    Unavailable while the instance runs, or the token is away: nothing has changed then.
    """
    settings = load(config)
    if vault not in settings.signer.vault_kinds:
        raise BadRequest(
            f"no vault named {vault[:64]!r}",
            field="--vault",
            rule="vault.unknown",
            remedy=f"one of: {', '.join(settings.signer.vault_kinds)}",
        )
    mark = f"k-{secrets.token_hex(3)}"
    new = _New(f"{settings.audit.origin}/{mark}", f"audit-{mark}", vault)
    draft = _draft(config, new)
    try:
        with brief_signer(settings, vault_shares) as here:
            return _changed(here, config, draft, new)
    finally:
        draft.unlink(missing_ok=True)


def _draft(config: Path, new: _New) -> Path:
    """The settings as they will be, beside those that are; checked."""
    draft = config.with_name(f".{config.name}.new")
    draft.unlink(missing_ok=True)
    text = with_log(config.read_text(), new.origin, new.key_id, vault=new.vault)
    write_private(draft, text.encode())
    draft.chmod(config.stat().st_mode & 0o777)
    made = load(draft).audit
    if (made.origin, made.key_id, made.vault) != (new.origin, new.key_id, new.vault):
        draft.unlink()
        raise BadRequest(
            "the [audit] section of chancery.toml is not written as one, and was not changed",
            field="audit",
            rule="audit.settings",
            remedy="write it as a section with one setting a line",
        )
    return draft


def _changed(here: Settings, config: Path, draft: Path, new: _New) -> dict[str, Any]:
    former = here.audit
    with open_office(here) as office:
        office.vault.generate(new.key_id, KeyAlgorithm.ED25519, KeyPurpose.AUDIT, vault=new.vault)
        office.audit.checkpoint()
        last = office.audit.published_checkpoint()
    draft.replace(config)
    kept = former.directory.with_name(f"{former.directory.name}-before-{new.key_id}")
    former.directory.rename(kept)
    now = load(config).model_copy(update={"signer": here.signer})
    with open_office(now) as office:
        told = event(
            SYSTEM,
            "audit.key-changed",
            new.key_id,
            former_log=former.origin,
            former_key=former.key_id,
            former_checkpoint=last.decode(),
            vault=new.vault,
        )
        office.store.write(lambda session: session.audit.append([told], office.clock.ms()))
        office.audit.checkpoint()
        new_verifier(office, Layout(config.parent))
        verifier = str(office.audit.verifier_key())
    return {
        "log": new.origin,
        "former_log": former.origin,
        "vault": new.vault,
        "verifier": verifier,
        "former_tiles": str(kept),
    }
