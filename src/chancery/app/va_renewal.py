"""A validation authority's certificates renew themselves: asked for at half their life.

The key stays; the CA's registration decides as it does about every request,
by itself or by people.  What is under way is noted beside the certificate.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from chancery.app.instance_files import write_private, write_public
from chancery.cli.client import Client
from chancery.cli.connection import Connection
from chancery.domain.algorithms import SIGNATURES_OF, KeyAlgorithm, key_family
from chancery.domain.errors import BadRequest, NotFound
from chancery.domain.request import RequestState
from chancery.ports import Clock, KeyVault
from chancery.services.status.responder import renewal_of
from chancery.settings_va import ValidationHost
from chancery.wire import ca_certificate, pem, pkcs10
from chancery.wire.algorithms import load_key
from chancery.wire.ca_certificate import CaCertificate

_AGAIN_S: Final = 86_400
"""Seconds after which what was denied is asked for again."""
_MAX: Final = 64 * 1024
_UNDER_WAY: Final = frozenset({RequestState.PENDING.value, RequestState.APPROVED.value})


@dataclass(frozen=True, slots=True)
class Step:
    """What became of the certificate in *file*: ``asked``, ``waits``, ``denied``, ``renewed``."""

    file: str
    state: str
    request: str


class Renewal:
    """Asks and takes.  Not for two threads at once."""

    def __init__(self, host: ValidationHost, vault: KeyVault, clock: Clock) -> None:
        given = host.renewal
        if given is None:
            raise BadRequest(
                "nobody is named who renews certificates",
                field="renewal",
                rule="va.renewal",
                remedy="give [renewal] url, ca_file, token_file and ra: "
                "docs/guides/validation-authority.md",
            )
        self._given = given
        self._directory = host.responders.directory
        self._vault = vault
        self._clock = clock

    def run(self, *, now: bool = False) -> list[Step]:
        """Take a step with each certificate that is past half its life; with *now*, with all."""
        due = [
            (path, decoded)
            for path in sorted(self._directory.glob("[!.]*.pem"))
            if (decoded := _read(path)) is not None
            and (now or renewal_of(decoded) <= self._clock.s())
        ]
        if not due:
            return []
        given = self._given
        api = Connection(
            url=given.url, ca_bundle=given.ca_file, token_file=given.token_file, timeout=20.0
        )
        with api.open() as server:
            return [self._step(server, path, decoded) for path, decoded in due]

    def _step(self, server: Client, path: Path, former: CaCertificate) -> Step:
        mark = path.with_name(f".{path.stem}.asked")
        try:
            asked = mark.read_text().strip()
        except FileNotFoundError:
            return self._ask(server, path, former, mark)
        try:
            state = str(server.get("requests", asked)["state"])
        except NotFound:
            state = RequestState.DENIED.value
        if state == RequestState.ISSUED:
            self._take(server, path, former, asked)
            mark.unlink(missing_ok=True)
            return Step(path.name, "renewed", asked)
        if state in _UNDER_WAY:
            return Step(path.name, "waits", asked)
        if self._clock.s() - mark.stat().st_mtime > _AGAIN_S:
            mark.unlink(missing_ok=True)
        return Step(path.name, "denied", asked)

    def _ask(self, server: Client, path: Path, former: CaCertificate, mark: Path) -> Step:
        key = self._vault.key(_key_of(former))
        algorithm = SIGNATURES_OF[KeyAlgorithm(key_family(load_key(key.spki)))][0]
        info = pkcs10.encode_info(former.subject, key.spki)
        signature = self._vault.sign_csr(key.key_id, algorithm, info)
        csr = pem.encode("CERTIFICATE REQUEST", pkcs10.join(info, algorithm, signature))
        body = {"profile": self._given.profile, "ra": self._given.ra, "csr": csr}
        answer: Any = server.post("requests", body=body)
        asked = str(answer["id"])
        write_private(mark, f"{asked}\n".encode())
        if answer["state"] == RequestState.ISSUED:
            return self._step(server, path, former)
        return Step(path.name, "asked", asked)

    def _take(self, server: Client, path: Path, former: CaCertificate, asked: str) -> None:
        """Put the new certificate in the place of the former, if it is what was asked for."""
        document = server.download("requests", asked, "download", format="pem")
        _, der = pem.decode(document.data, ("CERTIFICATE",), _MAX)
        found = ca_certificate.decode(der)
        same = (found.spki, found.authority_key_identifier)
        if same != (former.spki, former.authority_key_identifier):
            raise BadRequest(
                "the certificate that came is for another key, or from another CA",
                field="certificate",
                rule="responder.key",
            )
        write_public(path, pem.encode("CERTIFICATE", der).encode())


def _read(path: Path) -> CaCertificate | None:
    """None for what is no certificate: ``AppointedResponders`` tells of it."""
    try:
        _, der = pem.decode(path.read_bytes(), ("CERTIFICATE",), _MAX)
        return ca_certificate.decode(der)
    except (OSError, BadRequest):
        return None


def _key_of(certificate: CaCertificate) -> str:
    """As ``appointed.key_id_of`` names the key for the CA that issued this."""
    return f"va-{(certificate.authority_key_identifier or b'').hex()[:32]}"
