"""``chancery ra enrol``: the directory of a dedicated registration authority, step by step.

Each run does what can be done now and says what is missing; it can be run
again at any time, and renews what ends soon.
"""

import hashlib
import json
import shlex
import ssl
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any, Final

from cyclopts import Parameter

from chancery.cli import files, output
from chancery.cli.client import Client, Json
from chancery.cli.connection import DEFAULT, Connection
from chancery.cli.ra_files import new_key, settings_text, signing_request
from chancery.domain.errors import BadRequest, WrongState

_STATE: Final = "enrolment.json"
_ENDED: Final = frozenset({"denied", "withdrawn", "expired", "failed"})


@dataclass(frozen=True, slots=True)
class _Piece:
    """One certificate of the host: of its listener, or the one it shows to the centre."""

    what: str
    certificate: Path
    key: Path
    profile: str

    @property
    def draft(self) -> Path:
        """The key of a certificate that is not there yet."""
        return self.key.with_name(f"{self.key.name}.new")

    @property
    def arrived(self) -> Path:
        """A certificate that waits to be bound before it is used."""
        return self.certificate.with_name(f"{self.certificate.name}.new")

    def due(self, now: datetime) -> bool:
        """Whether there is none, or only a third of its life is left."""
        from cryptography import x509  # noqa: PLC0415 - help must not wait for it

        try:
            found = x509.load_pem_x509_certificate(self.certificate.read_bytes())
        except FileNotFoundError:
            return True
        begins, ends = found.not_valid_before_utc, found.not_valid_after_utc
        return now > ends - (ends - begins) / 3


def enrol(
    directory: Annotated[Path, Parameter(help="Where; made if it is not there.")],
    /,
    *,
    ra: Annotated[str, Parameter(help="The registration authority it stands for.")],
    host: Annotated[str, Parameter(help="Host name or address under which people reach it.")],
    name: Annotated[
        str | None, Parameter(help="What the centre calls this host; else as DIR is called.")
    ] = None,
    via: Annotated[
        str | None,
        Parameter(help="The RA that its own certificates are asked of; else the same."),
    ] = None,
    http_port: Annotated[int, Parameter(help="Port for CRLs, OCSP and health.")] = 8080,
    https_port: Annotated[int, Parameter(help="Port for the portal and the console.")] = 8443,
    client_profile: Annotated[
        str, Parameter(help="Profile of the certificate it shows to the centre.")
    ] = "tls-client",
    server_profile: Annotated[
        str, Parameter(help="Profile of the certificate that browsers see.")
    ] = "tls-server",
    api: Connection = DEFAULT,
) -> None:
    """Make a dedicated registration authority: keys, certificates, ra.toml.

    The keys are made here and stay here.  Run it again when the requests are
    approved; with an administrator's token it also binds the certificate.
    """
    called = name or directory.resolve().name.lower()
    _make(directory)
    pieces = (
        _Piece(
            "server", directory / "tls/server.pem", directory / "tls/server.key", server_profile
        ),
        _Piece(
            "client", directory / "tls/client.pem", directory / "tls/client.key", client_profile
        ),
    )
    state = _read(directory / _STATE)
    with api.open() as server:
        _settings(directory, called, ra, api, http_port, https_port)
        may = _permissions(server, api)
        with api.open(anonymous="request.submit" not in may) as submitter:
            for piece in pieces:
                subject = called if piece.what == "client" else host
                names = [] if piece.what == "client" else [host]
                request = signing_request(subject, names)
                _advance(piece, submitter, state, request, ra=via or ra)
                _write(directory / _STATE, state)
        bound = _bind(pieces[1], server, called, may)
    answer = _answer(directory, called, ra, state, pieces, bound=bound, api=api)
    output.show(answer, as_json=api.as_json, human=_told)


def receipt(
    code: Annotated[str, Parameter(help="The receipt.")], /, *, api: Connection = DEFAULT
) -> None:
    """Show what became of a request that a dedicated RA took in while its centre was away."""
    with api.open(anonymous=True) as server:
        output.show(server.get("receipts", code), as_json=api.as_json)


def _make(directory: Path) -> None:
    try:
        for one in (directory, directory / "tls", directory / "queue"):
            one.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise BadRequest(
            f"cannot write to {directory}: {error.strerror}", field="DIR", rule="directory.writable"
        ) from error


def _settings(
    directory: Path, called: str, ra: str, api: Connection, http_port: int, https_port: int
) -> None:
    """Write ra.toml and the bundle once; what an operator changed since stays."""
    if api.ca_bundle is None:
        raise BadRequest(
            "no CA bundle is named",
            field="--ca-bundle",
            rule="usage",
            remedy="name the centre's tls/ca-bundle.pem: this host trusts nobody else to be it",
        )
    bundle = directory / "tls/ca-bundle.pem"
    if not bundle.exists():
        files.write(bundle, files.read(api.ca_bundle, 1024 * 1024), force=False)
    path = directory / "ra.toml"
    if not path.exists():
        text = settings_text(called, ra, str(api.url).rstrip("/"), http_port, https_port)
        files.write(path, text.encode(), force=False)


def _permissions(server: Client, api: Connection) -> frozenset[str]:
    """What the token at hand may do; nothing without one."""
    if api.token_file is None and api.client_certificate is None:
        return frozenset()
    found = server.get("me")
    return frozenset(found["permissions"])


def _advance(piece: _Piece, server: Client, state: Json, request: Any, *, ra: str) -> None:
    """Ask for a certificate, or fetch the one that was asked for."""
    asked: Json | None = state.get(piece.what)
    if asked is None:
        if piece.arrived.exists() or not piece.due(datetime.now(UTC)):
            return
        key = new_key(piece.draft)
        body = {"profile": piece.profile, "ra": ra, "csr": request(key)}
        answer = server.post("requests", body=body)
        asked = {"id": answer["id"], "code": answer.get("code"), "state": answer["state"]}
        state[piece.what] = asked
    code = {"code": asked["code"]} if asked.get("code") else {}
    asked["state"] = server.get("requests", asked["id"], **code)["state"]
    if asked["state"] in _ENDED:
        state.pop(piece.what)
        raise WrongState(
            f"the request for the {piece.what} certificate is {asked['state']}",
            field="DIR",
            rule="enrolment.request",
            remedy="run this again to ask for another one",
        )
    if asked["state"] != "issued":
        return
    chain = server.download("requests", asked["id"], "download", format="chain", **code).data
    files.write(piece.arrived, chain, force=True)
    state.pop(piece.what)
    if piece.what == "server":
        _use(piece)


def _bind(piece: _Piece, server: Client, called: str, may: frozenset[str]) -> bool:
    """Bind a client certificate that has come to the account; then, and only then, use it."""
    if not piece.arrived.exists():
        return piece.certificate.exists()
    if "identity.manage" not in may:
        return False
    account = _account(called)
    if all(one["name"] != account for one in server.items("users", limit=None)):
        server.post("users", body={"name": account, "role_class": "general"})
    text = piece.arrived.read_text()
    ours = _sha256(text)
    bound = server.items("users", account, "certificates", limit=None)
    if all(one["sha256"] != ours for one in bound):
        server.post("users", account, "certificates", body={"certificate": text})
    _use(piece)
    return True


def _sha256(pem: str) -> str:
    """Of the first certificate in *pem*, as the centre names it."""
    end = "-----END CERTIFICATE-----"
    return hashlib.sha256(ssl.PEM_cert_to_DER_cert(pem.partition(end)[0] + end)).hexdigest()


def _use(piece: _Piece) -> None:
    piece.draft.replace(piece.key)
    piece.arrived.replace(piece.certificate)


def _answer(
    directory: Path,
    called: str,
    ra: str,
    state: Json,
    pieces: tuple[_Piece, _Piece],
    *,
    bound: bool,
    api: Connection,
) -> Json:
    home = directory.resolve()
    todo = []
    for what, asked in state.items():
        todo.append(
            f"have request {asked['id']} ({what} certificate) approved, then run this again"
        )
    if pieces[1].arrived.exists() and not bound:
        todo.append("run this again with an administrator's token, which binds the certificate")
    settings = [
        "[[gateways]]",
        f'name = "{called}"',
        f'account = "{_account(called)}"',
        f'ra = "{ra}"',
    ]
    ready = not todo and all(piece.certificate.exists() for piece in pieces)
    return {
        "directory": str(home),
        "centre": api.url,
        "ready": ready,
        "to_do": todo,
        "centre_settings": "\n".join(settings),
        "start": f"chancery serve --role ra --config {shlex.quote(str(home / 'ra.toml'))}",
    }


def _told(answer: Json) -> None:
    for number, what in enumerate(answer["to_do"], start=1):
        output.line(f"{number}. {what}")
    if not answer["ready"]:
        return
    output.line("Certificates and ra.toml are there.  At the centre, add to chancery.toml")
    output.line("and restart it, unless that is done already:")
    output.line("")
    for line in answer["centre_settings"].splitlines():
        output.line(f"  {line}")
    output.line("")
    output.line(f"Then start this host:  {answer['start']}")


def _account(called: str) -> str:
    return f"ra-{called}"


def _read(path: Path) -> Json:
    try:
        found: Json = json.loads(path.read_text())
    except FileNotFoundError:
        return {}
    return found


def _write(path: Path, state: Json) -> None:
    """The codes of its own requests are secrets, too."""
    files.write(path, json.dumps(state, indent=2).encode() + b"\n", force=True, secret=True)
