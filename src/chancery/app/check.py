"""``chancery config check``: what would keep an instance from starting."""

import ssl
import stat
from collections.abc import Iterator
from pathlib import Path

from chancery.adapters.clock import SystemClock
from chancery.adapters.storage import open_store
from chancery.app.custody import seal_seen
from chancery.app.directories import directory_sources, provider_sources
from chancery.domain.errors import CAError
from chancery.settings import Settings, load


def findings(config: Path, *, connect: bool = False) -> list[str]:
    """Say what is wrong; with *connect*, ask every directory and every provider too."""
    try:
        settings = load(config)
    except CAError as error:
        return [str(error)]
    return [*_files(settings), *_database(settings), *_sources(settings, connect=connect)]


def _files(settings: Settings) -> Iterator[str]:
    secret = {
        "database.url_file": settings.database.url_file,
        "signer.unseal_key_file": settings.signer.unseal_key_file,
        "signer.passphrase_file": settings.signer.passphrase_file,
        "tls.key": settings.tls.key,
    }
    for name, path in secret.items():
        if path is not None:
            yield from _file(name, path, secret=True)
    yield from _file("tls.certificate", settings.tls.certificate, secret=False)
    yield from _file("tls.client_ca", settings.tls.client_ca, secret=False)
    yield from _tls(settings)
    yield from _seal(settings)
    for name, directory in {
        "signer.vault": settings.signer.vault,
        "signer.journal": settings.signer.journal,
        "audit.directory": settings.audit.directory,
        "publication.directory": settings.publication.directory,
    }.items():
        if not directory.is_dir():
            yield f"{name}: no such directory: {directory}"


def _seal(settings: Settings) -> Iterator[str]:
    """The vault opens with what the settings name."""
    signer = settings.signer
    named = "key-file" if signer.unseal_key_file is not None else "passphrase"
    named = "custodians" if signer.custodians else named
    seal = seal_seen(settings)
    if seal is not None and seal.kind != named:
        yield f"signer: the vault opens with {seal.kind}, and {named} is what is set"


def _sources(settings: Settings, *, connect: bool) -> Iterator[str]:
    """Directories and identity providers: their files, and on demand whether they answer."""
    missing = False
    for name, path, secret in _source_files(settings):
        for finding in _file(name, path, secret=secret):
            missing = True
            yield finding
    if missing:
        return
    try:
        directories = directory_sources(settings.directories)
        providers = provider_sources(settings.providers, settings.listen.https_url)
    except CAError as error:
        yield str(error)
        return
    if not connect:
        return
    examined = [
        *((one.source.name, one.directory.examine) for one in directories),
        *((one.source.name, one.provider.examine) for one in providers),
    ]
    for name, examine in examined:
        yield from (f"{name}: {trial}" for trial in examine() if not trial.well)


def _source_files(settings: Settings) -> Iterator[tuple[str, Path, bool]]:
    for one in settings.directories:
        yield f"directories.{one.name}.ca_file", one.ca_file, False
        yield f"directories.{one.name}.bind_password_file", one.bind_password_file, True
    for provider in settings.providers:
        if provider.ca_file is not None:
            yield f"providers.{provider.name}.ca_file", provider.ca_file, False
        if provider.client_secret_file is not None:
            where = f"providers.{provider.name}.client_secret_file"
            yield where, provider.client_secret_file, True


def _file(name: str, path: Path, *, secret: bool) -> Iterator[str]:
    try:
        mode = path.stat().st_mode
    except OSError as error:
        yield f"{name}: {path}: {error.strerror}"
        return
    if not stat.S_ISREG(mode):
        yield f"{name}: {path} is not a file"
    elif secret and mode & 0o077:
        yield f"{name}: {path} can be read by others; chmod 600 it"


def _tls(settings: Settings) -> Iterator[str]:
    """Whether certificate and key are a pair, and the bundle can be read."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    try:
        context.load_cert_chain(settings.tls.certificate, settings.tls.key)
    except ssl.SSLError as error:
        yield f"tls.certificate and tls.key: not a certificate and its key ({_cause(error)})"
    except OSError:
        return  # told above, with the file
    try:
        context.load_verify_locations(settings.tls.client_ca)
    except ssl.SSLError as error:
        yield f"tls.client_ca: no certificates in PEM ({_cause(error)})"
    except OSError:
        return


def _cause(error: ssl.SSLError) -> str:
    """OpenSSL's reason in words; it has none for a file without the PEM block it looks for."""
    return (error.reason or "").lower().replace("_", " ") or "not the PEM it should be"


def _database(settings: Settings) -> Iterator[str]:
    try:
        open_store(settings.database.url, clock=SystemClock()).close()
    except CAError as error:
        yield f"database: {error}" + (f"; {error.remedy}" if error.remedy else "")
