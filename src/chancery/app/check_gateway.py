"""``chancery config check`` for an ``ra.toml``: what would keep a dedicated RA from its work."""

import stat
import tomllib
from collections.abc import Iterator
from pathlib import Path

from chancery.domain.errors import CAError
from chancery.relay.upstream import Away, Upstream
from chancery.server.tls import TlsContexts
from chancery.settings_gateway import GatewayHost, load


def is_gateway(config: Path) -> bool:
    """Whether *config* is an ra.toml, and no chancery.toml."""
    try:
        return "centre" in tomllib.loads(config.read_text())
    except (OSError, ValueError):
        return False


def findings(config: Path, *, connect: bool) -> list[str]:
    """Say what is wrong; with *connect*, ask the centre whether it admits this host."""
    try:
        host = load(config)
        found = list(_files(host))
        if not found:
            TlsContexts(host.tls.certificate, host.tls.key)
            upstream = Upstream(host.centre)
            if connect:
                field = (b"host", f"{host.name}.gateway".encode())
                upstream.ask("GET", b"/healthz", [field], b"")
    except CAError as error:
        return [str(error)]
    except Away as error:
        return [f"centre: {error}"]
    except OSError as error:  # OpenSSL's are of this kind
        return [f"tls.certificate and tls.key: not a certificate and its key ({error})"]
    return found


def _files(host: GatewayHost) -> Iterator[str]:
    files = {
        "tls.certificate": (host.tls.certificate, False),
        "tls.key": (host.tls.key, True),
        "centre.ca_bundle": (host.centre.ca_bundle, False),
        "centre.certificate": (host.centre.certificate, False),
        "centre.key": (host.centre.key, True),
    }
    for name, (path, secret) in files.items():
        try:
            mode = path.stat().st_mode
        except OSError as error:
            yield f"{name}: {path}: {error.strerror}"
            continue
        if secret and stat.S_IMODE(mode) & 0o077:
            yield f"{name}: {path} can be read by others; chmod 600 it"
    if not host.queue.directory.is_dir():
        yield f"queue.directory: no such directory: {host.queue.directory}"
