"""A private OpenLDAP: its own directory, free ports, a certificate made here, gone with the tests.

dc=example,dc=org
  ou=people      alice, bob, carol, dave (left), erin, mallory*, twin twice
  ou=services    reader (may search), nobody may bind without a name
  ou=groups      officers > seniors > deputies (nested, with a ring), staff, auditors
"""

import base64
import os
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from services.instance import free_port
from services.tls_files import Authority

BASE = "dc=example,dc=org"
PEOPLE = f"ou=people,{BASE}"
GROUPS = f"ou=groups,{BASE}"
READER = f"cn=reader,ou=services,{BASE}"
READER_PASSWORD = "reader of the directory"
_ROOT = f"cn=root,{BASE}"
_ROOT_PASSWORD = "root of the directory"
_START_S = 20

_PROGRAM = shutil.which("slapd") or "/usr/sbin/slapd"
_SCHEMA = Path("/etc/ldap/schema")
_MODULES = Path("/usr/lib/ldap")


class Missing(Exception):
    """There is no OpenLDAP on this machine to start."""


def _configuration(directory: Path) -> str:
    return f"""
include {_SCHEMA}/core.schema
include {_SCHEMA}/cosine.schema
include {_SCHEMA}/nis.schema
include {_SCHEMA}/inetorgperson.schema
modulepath {_MODULES}
moduleload back_mdb
moduleload memberof
moduleload ppolicy
pidfile {directory}/pid
TLSCACertificateFile {directory}/ca.pem
TLSCertificateFile {directory}/server.pem
TLSCertificateKeyFile {directory}/server.key
security tls=1
require authc
sizelimit 50
database mdb
suffix "{BASE}"
rootdn "{_ROOT}"
rootpw {_ROOT_PASSWORD!r}
directory {directory}/data
index objectClass,uid,cn,member,entryUUID eq
access to attrs=userPassword by anonymous auth by * none
access to * by dn.exact="{READER}" read by * none
overlay memberof
memberof-dangling ignore
memberof-refint TRUE
overlay ppolicy
""".replace("'", '"')


@dataclass
class Slapd:
    """One server on two ports of every loopback address; LDAPS on the one, StartTLS on the other."""

    directory: Path
    authority: Authority
    ldap_port: int = field(default_factory=free_port)
    ldaps_port: int = field(default_factory=free_port)
    hosts: tuple[str, ...] = ("127.0.0.1",)
    _process: "subprocess.Popen[bytes] | None" = None

    @classmethod
    def create(cls, authority: Authority | None = None, **options: object) -> "Slapd":
        """Write the configuration and the people, and start."""
        if not Path(_PROGRAM).exists():
            raise Missing("no OpenLDAP server found (Debian: apt-get install slapd)")
        directory = Path(tempfile.mkdtemp(prefix="chancery-slapd-"))
        made = cls(directory, authority or Authority.create("Directory Root"), **options)  # type: ignore[arg-type]
        made.ca_file.write_bytes(made.authority.pem)
        made.authority.server("localhost", "127.0.0.1", "::1").write(
            directory / "server.pem", directory / "server.key"
        )
        (directory / "data").mkdir()
        (directory / "slapd.conf").write_text(_configuration(directory))
        made.start()
        made.add(_tree())
        return made

    @property
    def ca_file(self) -> Path:
        return self.directory / "ca.pem"

    @property
    def ldaps(self) -> str:
        return f"ldaps://{self.hosts[0]}:{self.ldaps_port}"

    @property
    def starttls(self) -> str:
        return f"ldap://{self.hosts[0]}:{self.ldap_port}"

    def start(self) -> None:
        """Start, and wait until it answers."""
        urls = " ".join(
            f"{scheme}://{host}:{port}"
            for host in self.hosts
            for scheme, port in (("ldap", self.ldap_port), ("ldaps", self.ldaps_port))
        )
        with (self.directory / "log").open("ab") as log:
            self._process = subprocess.Popen(
                ["setpriv", "--pdeathsig", "KILL", _PROGRAM, "-d", "0",
                 "-f", str(self.directory / "slapd.conf"), "-h", urls],
                stdout=log, stderr=log, cwd="/", start_new_session=True,
            )  # fmt: skip
        deadline = time.monotonic() + _START_S
        while self._tool("ldapwhoami").returncode:
            if time.monotonic() > deadline or self._process.poll() is not None:
                raise RuntimeError((self.directory / "log").read_text())
            time.sleep(0.05)

    def stop(self) -> None:
        if self._process is not None:
            self._process.send_signal(signal.SIGINT)
            self._process.wait(timeout=_START_S)
            self._process = None

    @contextmanager
    def away(self) -> Iterator[None]:
        """Down for as long as the block lasts, and back afterwards."""
        self.stop()
        try:
            yield
        finally:
            self.start()

    @contextmanager
    def frozen(self) -> Iterator[None]:
        """It takes connections, as the kernel does, and never answers."""
        assert self._process is not None
        self._process.send_signal(signal.SIGSTOP)
        try:
            yield
        finally:
            self._process.send_signal(signal.SIGCONT)

    def remove(self) -> None:
        self.stop()
        shutil.rmtree(self.directory)

    # As the administrator of the directory

    def add(self, ldif: str) -> None:
        self._must("ldapadd", text=ldif)

    def modify(self, ldif: str) -> None:
        self._must("ldapmodify", text=ldif)

    def delete(self, *dns: str) -> None:
        self._must("ldapdelete", *dns)

    def remove_entry(self, dn: str) -> None:
        """Remove somebody, who may be gone already."""
        self._tool("ldapdelete", dn)

    def attribute(self, dn: str, name: str, value: str | None) -> None:
        """Set one attribute; None removes it."""
        change = f"delete: {name}\n" if value is None else f"replace: {name}\n{name}: {value}\n"
        self.modify(f"dn: {dn}\nchangetype: modify\n{change}")

    def join(self, group: str, member: str) -> None:
        self.modify(f"dn: {group}\nchangetype: modify\nadd: member\nmember: {member}\n")

    def leave(self, group: str, member: str) -> None:
        self.modify(f"dn: {group}\nchangetype: modify\ndelete: member\nmember: {member}\n")

    def _must(self, tool: str, *words: str, text: str = "") -> None:
        done = self._tool(tool, *words, text=text)
        if done.returncode:
            raise RuntimeError(f"{tool}: {done.stderr.decode()}")

    def _tool(self, tool: str, *words: str, text: str = "") -> "subprocess.CompletedProcess[bytes]":
        host = self.hosts[0]
        return subprocess.run(
            [tool, "-x", "-H", f"ldaps://{host}:{self.ldaps_port}", "-D", _ROOT,
             "-w", _ROOT_PASSWORD, *words],
            input=text.encode(), capture_output=True, timeout=20, check=False,
            env=os.environ | {"LDAPTLS_CACERT": str(self.ca_file)},
        )  # fmt: skip


def person(uid: str, *, password: str | None = None, cn: str | None = None) -> str:
    """LDIF of somebody whose password is ``{uid}'s own password``, in a place of their own."""
    name = cn or uid.capitalize()
    return f"""dn: {dn_of(name)}
objectClass: inetOrgPerson
uid:: {_b64(uid)}
cn:: {_b64(name)}
sn: Example
displayName: {name.split(",", maxsplit=1)[0]} Example
mail: {uid.split("*", maxsplit=1)[0]}@example.org
employeeType: active
userPassword: {password or password_of(uid)}

"""


def password_of(uid: str) -> str:
    return f"{uid}'s own password"


def dn_of(cn: str) -> str:
    """DN of the person whose common name this is."""
    escaped = "".join(f"\\{c}" if c in ',+"\\<>;=#' else c for c in cn)
    return f"cn={escaped},{PEOPLE}"


def group_dn(name: str) -> str:
    return f"cn={name},{GROUPS}"


def group(name: str, *members: str) -> str:
    lines = "".join(f"member: {member}\n" for member in members)
    return f"dn: {group_dn(name)}\nobjectClass: groupOfNames\ncn: {name}\n{lines}\n"


def _b64(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


def _tree() -> str:
    units = "".join(
        f"dn: ou={unit},{BASE}\nobjectClass: organizationalUnit\nou: {unit}\n\n"
        for unit in ("people", "elsewhere", "services", "groups")
    )
    reader = f"dn: {READER}\nobjectClass: organizationalRole\nobjectClass: simpleSecurityObject\n"
    people = "".join(map(person, ("alice", "bob", "carol", "dave", "erin")))
    twins = person("twin", cn="Twin One") + person("twin", cn="Twin Two")
    odd = person("o'hara*(x)", cn='Sean "O\'Hara*, (x)"')
    return (
        f"dn: {BASE}\nobjectClass: dcObject\nobjectClass: organization\ndc: example\n"
        f"o: Example\n\n{units}{reader}cn: reader\nuserPassword: {READER_PASSWORD}\n\n"
        + people
        + twins
        + odd
        + group("Staff", *(dn_of(n) for n in ("Alice", "Bob", "Carol", "Dave")))
        + group("RA Officers", group_dn("Seniors"))
        + group("Seniors", group_dn("Deputies"), dn_of("Bob"))
        + group("Deputies", dn_of("Alice"), group_dn("RA Officers"))
        + group("Auditors", dn_of("Carol"))
    )
