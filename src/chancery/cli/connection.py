"""Where the server is and who asks: the options that every client command shares."""

import os
import stat
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

from cyclopts import Group, Parameter

from chancery.cli.client import Client
from chancery.cli.failures import note
from chancery.domain.errors import BadRequest

if TYPE_CHECKING:
    import ssl

_GROUP: Final = Group("Connection", sort_key=90)
_MAX_TOKEN: Final = 4_096  # characters; ours have fewer than 100


@Parameter(name="*", group=_GROUP)
@dataclass(frozen=True, kw_only=True)
class Connection:
    """What it takes to reach a server.  A secret is only ever named by its file."""

    url: Annotated[
        str | None,
        Parameter(env_var="CHANCERY_URL", help="Base URL of the server: https://host[:port]."),
    ] = None
    ca_bundle: Annotated[
        Path | None,
        Parameter(
            env_var="CHANCERY_CA_BUNDLE",
            help="PEM file of the CAs that may vouch for the server; else the system's.",
        ),
    ] = None
    token_file: Annotated[
        Path | None,
        Parameter(
            env_var="CHANCERY_TOKEN_FILE",
            help="File that holds your bearer token; without one you are anonymous.",
        ),
    ] = None
    client_certificate: Annotated[
        Path | None,
        Parameter(
            env_var="CHANCERY_CLIENT_CERTIFICATE",
            help="PEM file of a TLS client certificate with its chain and its key, "
            "instead of a token.",
        ),
    ] = None
    timeout: Annotated[
        float, Parameter(help="Seconds to wait for the server before giving up.")
    ] = 60.0
    as_json: Annotated[
        bool, Parameter(name="--json", help="Print JSON on stdout, and problems as JSON on stderr.")
    ] = False

    def open(self, *, anonymous: bool = False, basic: tuple[str, str] | None = None) -> Client:
        """Return a client for use in a ``with`` statement.

        *anonymous* leaves the token at home; *basic* is a name and password.
        """
        url = self._checked_url()
        token = None if anonymous or basic else self._token()
        certificate = str(self.client_certificate) if self.client_certificate else None
        return Client(
            url,
            self._tls(),
            token=token,
            basic=basic,
            certificate=certificate,
            timeout=self.timeout,
        )

    def with_token(self, path: Path) -> "Connection":
        """Return the same connection for somebody else, by that token."""
        return replace(self, token_file=path, client_certificate=None)

    def at(self, url: str) -> "Connection":
        """Return the same connection to another server."""
        return replace(self, url=url)

    def _checked_url(self) -> str:
        if not self.url:
            raise BadRequest("no server is named", field="--url", remedy=self._how_to_set())
        if not self.url.startswith("https://"):
            raise BadRequest(
                f"{self.url!r} is not an https:// URL",
                field="--url",
                rule="tls.required",
                remedy="the API is served over TLS alone; give https://host[:port]",
            )
        return self.url.rstrip("/")

    def _how_to_set(self) -> str:
        """Say what to export.  We name the file found, but never use it unasked."""
        home = os.environ.get("CHANCERY_HOME")
        places = [Path(home)] if home else []
        places.append(Path("demo"))
        found = next((p for p in places if (p / "quickstart.json").is_file()), None)
        directory = found.resolve() if found else Path("DIR")
        start = "an instance is in" if found else "after `chancery quickstart DIR`, take https of"
        return (
            f"{start} {directory / 'quickstart.json'}: "
            "export CHANCERY_URL=https://HOST:PORT "
            f"CHANCERY_CA_BUNDLE={directory}/tls/ca-bundle.pem "
            f"CHANCERY_TOKEN_FILE={directory}/secrets/tokens/NAME.token"
        )

    def _tls(self) -> "ssl.SSLContext":
        """Verification is always on: there is no option to turn it off."""
        import ssl  # noqa: PLC0415 - help must not wait for OpenSSL

        try:
            context = ssl.create_default_context(cafile=self.ca_bundle)
        except (OSError, ssl.SSLError) as error:
            raise BadRequest(
                f"cannot read the CA bundle {self.ca_bundle}: {_reason(error)}",
                field="--ca-bundle",
                remedy="name a PEM file of CA certificates (quickstart: DIR/tls/ca-bundle.pem)",
            ) from error
        if self.client_certificate is not None:
            try:
                context.load_cert_chain(self.client_certificate)
            except (OSError, ssl.SSLError) as error:
                raise BadRequest(
                    f"cannot use {self.client_certificate}: {_reason(error)}",
                    field="--client-certificate",
                    remedy="name a PEM file with the certificate and its unencrypted key",
                ) from error
        return context

    def _token(self) -> str | None:
        path = self.token_file
        if path is None:
            return None
        try:
            with path.open(encoding="ascii") as file:
                mode = stat.S_IMODE(os.fstat(file.fileno()).st_mode)
                token = file.read(_MAX_TOKEN + 1).strip()
        except (OSError, UnicodeDecodeError) as error:
            raise BadRequest(
                f"cannot read the token file {path}: {_reason(error)}",
                field="--token-file",
                remedy="make one with `chancery token create --user NAME -o FILE`",
            ) from error
        if not token or len(token) > _MAX_TOKEN or any(c <= " " for c in token):
            raise BadRequest(
                f"{path} does not hold a token",
                field="--token-file",
                remedy="it should hold one word that begins with chy_",
            )
        if mode & 0o077:
            note(f"{path} can be read by others; chmod 600 it")
        return token


DEFAULT: Final = Connection()
"""The default of every command: nothing on the command line, all from CHANCERY_* variables."""


def _reason(error: Exception) -> str:
    return (getattr(error, "strerror", None) or str(error)).lower()
