"""A ceremony on throwaway keys: the same steps and the same checks, and nothing is kept."""

import secrets
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from chancery.ceremony import script as s
from chancery.ceremony.acts import Acts
from chancery.ceremony.office import OfflineCa
from chancery.ceremony.store import Store, new_store
from chancery.domain.algorithms import SIGNATURES_OF, KeyAlgorithm
from chancery.domain.custody import CustodyPurpose
from chancery.services.authority import Extensions
from chancery.signer.unseal import Parameters
from chancery.signer.unseal.custodians import Founding
from chancery.wire import ca_certificate
from chancery.wire.names import parse_text
from chancery.wire.pkcs7 import certificates


@dataclass(frozen=True)
class _Nobody:
    """A secret that is forgotten with the rehearsal."""

    kind: str = "rehearsal"

    def new_parameters(self) -> Parameters:
        return {}

    def key(self, parameters: Parameters) -> bytearray:
        del parameters
        return bytearray(secrets.token_bytes(32))


def rehearse(plan: s.Plan) -> list[dict[str, Any]]:
    """What each step did, with throwaway keys in the place of those of the store."""
    new = plan.script.new_store
    if new is not None and new.custodians:
        Founding(s.people(new.custodians), new.threshold, CustodyPurpose.OFFLINE_STORE).letters()
    with (
        tempfile.TemporaryDirectory(prefix="chancery-") as away,
        new_store(Path(away) / "rehearsal.store", "rehearsal", _Nobody()) as store,
    ):
        for name in _missing(plan.script):
            _stand_in(plan, store, name)
        acts = Acts(store, plan, plan.script.witnesses)
        found = []
        for number, step in enumerate(plan.script.step, 1):
            done = acts.do(step)
            found.append(
                {
                    "number": number,
                    "do": s.facts(step)["do"],
                    "facts": done.facts,
                    "verified": done.verified,
                    "outputs": sorted(done.files),
                }
            )
        store.save()
    return found


def _missing(script: s.Script) -> list[str]:
    """CAs that steps sign with and that the store would hold already."""
    made: set[str] = set()
    wanted: list[str] = []
    for step in script.step:
        if isinstance(step, s.Root | s.Key):
            made.add(step.name)
        elif not isinstance(step, s.Change) and step.issuer not in made:
            wanted.append(step.issuer)
    return list(dict.fromkeys(wanted))


def _stand_in(plan: s.Plan, store: Store, name: str) -> None:
    """A throwaway root with the name and path length of the true one, if told."""
    subject, algorithm, path_length = parse_text(f"CN=Rehearsal {name}"), KeyAlgorithm.EC_P256, None
    if file := plan.script.certificates.get(name):
        true = ca_certificate.decode(certificates(plan.inputs[file])[0])
        subject, path_length = true.subject, true.path_length
    directory = store.directory(name)
    directory.mkdir(mode=0o700)
    OfflineCa(subject.text, SIGNATURES_OF[algorithm][0], name, "http://rehearsal.invalid").write(
        directory
    )
    store.office(name, plan.script.witnesses).begin(
        algorithm, subject, Extensions(path_length=path_length)
    )
