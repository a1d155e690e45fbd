"""CRLs and CA certificates in a directory (RFC 4523): attributes of an entry for each CA."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from chancery.adapters.directory.connection import Away, connected, tls_context
from chancery.adapters.directory.plan import Server
from chancery.domain.errors import Unavailable

_CRL: Final = "certificateRevocationList;binary"
_CA_CRL: Final = "authorityRevocationList;binary"
_DELTA: Final = "deltaRevocationList;binary"
_CERTIFICATE: Final = "cACertificate;binary"


@dataclass(frozen=True, slots=True)
class Tree:
    """*entries* are DNs by the label of a CA's key; other CAs are not published there."""

    servers: tuple[Server, ...]
    ca: str  # PEM: who may certify the servers
    bind_dn: str
    bind_password: str
    entries: Mapping[str, str]
    timeout_s: float = 20.0


class LdapDestination:
    """``ports_crl.Destination``.  An attribute is replaced in one operation."""

    def __init__(self, name: str, tree: Tree) -> None:
        self.name = name
        self._tree = tree
        self._context = tls_context(tree.ca)

    def takes(self, file: str) -> bool:
        return _place(file, self._tree.entries) is not None

    def put(self, file: str, data: bytes, *, max_age_s: int) -> None:  # noqa: ARG002
        self._replace(file, [data])

    def remove(self, file: str) -> None:
        self._replace(file, [])

    def _replace(self, file: str, values: Sequence[bytes]) -> None:
        place = _place(file, self._tree.entries)
        if place is None:
            raise ValueError(f"bug: {file} has no place in {self.name}")
        dn, attribute = place
        if dn is None:
            label = file.split("/")[1].partition(".crl")[0].removesuffix(".cer")
            raise Unavailable(
                f"{self.name} has no entry for the key {label}",
                field=self.name,
                rule="publication.entry",
                remedy=f"name one for {label} in [publication.ldap.entries]: a key has its own",
            )
        said = []
        for server in self._tree.servers:
            try:
                with connected(server, self._context, self._tree.timeout_s) as link:
                    if not link.bind(self._tree.bind_dn, self._tree.bind_password):
                        raise Away("refuses our account")
                    link.replace(dn, attribute, values)
            except Away as error:
                said.append(f"{server} {error}")
            else:
                return
        raise Unavailable(
            f"{self.name} does not take files now: {'; '.join(said)}",
            field=self.name,
            rule="publication.unavailable",
            remedy="it is tried again by itself; look at the entry of the CA and at our rights",
        )


def _place(file: str, entries: Mapping[str, str]) -> tuple[str | None, str] | None:
    """(DN, attribute) for a file; None if it does not belong there.

    DN None: its CA has an entry, but the key that succeeded has none yet.  The
    two would overwrite each other in one.
    """
    folder, _, rest = file.partition("/")
    name, _, suffix = rest.rpartition(".")
    label, _, part = name.partition("/")
    dn = entries.get(label)
    if dn is None and label.partition(".")[0] not in entries:
        return None
    if (folder, suffix) == ("ca", "cer") and not part:
        return dn, _CERTIFICATE
    if (folder, suffix) != ("crl", "crl"):
        return None
    attribute = {"": _CRL, "delta": _DELTA, "ca": _CA_CRL}.get(part)
    return (dn, attribute) if attribute else None
