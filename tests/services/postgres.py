"""A private PostgreSQL: its own directory, reached by a socket in it, gone with the tests."""

import os
import pwd
import shutil
import signal
import subprocess
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path

import psycopg
from psycopg import sql
from sqlalchemy import make_url

_START_S = 30
_USER = "chancery"


class Missing(Exception):
    """There is no PostgreSQL on this machine to start."""


def binaries() -> Path:
    """The directory of the newest server installed; raise Missing if there is none."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=_version)
    if found:
        return found[-1].parent
    if on_path := shutil.which("initdb"):
        return Path(on_path).resolve().parent
    raise Missing("no PostgreSQL server found (Debian: apt-get install postgresql)")


def _version(path: Path) -> int:
    name = path.parts[-3]
    return int(name) if name.isdigit() else 0


def _as_server_user() -> list[str]:
    """A prefix for commands: PostgreSQL refuses to run as root, and should die with us."""
    prefix = ["setpriv", "--pdeathsig", "INT"]
    if os.geteuid() == 0:
        prefix += ["--reuid", "postgres", "--regid", "postgres", "--init-groups"]
    return prefix


@dataclass
class Server:
    """One cluster; databases are cheap, so each test takes a new one."""

    directory: Path
    _bin: Path
    _process: subprocess.Popen[bytes] | None = None
    _names: list[str] = field(default_factory=list)

    @classmethod
    def create(cls) -> "Server":
        """Run initdb and start the server."""
        programs = binaries()
        # Not pytest's own directory: that is closed to the user the server runs as.
        directory = Path(tempfile.mkdtemp(prefix="chancery-pg-"))
        if os.geteuid() == 0:
            owner = pwd.getpwnam("postgres")
            os.chown(directory, owner.pw_uid, owner.pw_gid)
        made = cls(directory, programs)
        # A linguistic collation: what relies on byte order must say so itself.
        made._run(
            "initdb", "-D", str(made.data), "-U", _USER, "--auth=trust", "--encoding=UTF8",
            "--locale=C.UTF-8", "--locale-provider=icu", "--icu-locale=en-US", "--no-sync",
        )  # fmt: skip
        made.start()
        return made

    @property
    def data(self) -> Path:
        return self.directory / "data"

    def start(self) -> None:
        """Start, and wait until it answers."""
        settings = {
            "listen_addresses": "",  # only the socket: no port to collide on, nothing to guess
            "unix_socket_directories": str(self.directory),
            "fsync": "on",
            "synchronous_commit": "on",
            "max_connections": "200",
        }
        command = [*_as_server_user(), str(self._bin / "postgres"), "-D", str(self.data)]
        for name, value in settings.items():
            command += ["-c", f"{name}={value}"]
        log = (self.directory / "log").open("ab")
        with log:
            self._process = subprocess.Popen(
                command, stdout=log, stderr=log, cwd="/", start_new_session=True
            )
        deadline = time.monotonic() + _START_S
        while True:
            try:
                psycopg.connect(self._conninfo("postgres")).close()
                return
            except psycopg.OperationalError:
                if time.monotonic() > deadline or self._process.poll() is not None:
                    raise RuntimeError((self.directory / "log").read_text()) from None
                time.sleep(0.05)

    def stop(self, how: signal.Signals = signal.SIGINT) -> None:
        """SIGINT: fast shutdown; SIGQUIT: as if it had crashed."""
        if self._process is not None:
            self._process.send_signal(how)
            self._process.wait(timeout=_START_S)
            self._process = None

    def remove(self) -> None:
        self.stop()
        shutil.rmtree(self.directory)

    def database(self, *, template: str = "template0") -> str:
        """Make a database and return its URL."""
        name = f"test{len(self._names)}"
        self._names.append(name)
        statement = sql.SQL("CREATE DATABASE {} TEMPLATE {}")
        with psycopg.connect(self._conninfo("postgres"), autocommit=True) as connection:
            connection.execute(statement.format(sql.Identifier(name), sql.Identifier(template)))
        return self.url(name)

    def drop(self, url: str) -> None:
        name = make_url(url).database or ""
        statement = sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name))
        with psycopg.connect(self._conninfo("postgres"), autocommit=True) as connection:
            connection.execute(statement)

    def url(self, name: str) -> str:
        return f"postgresql+psycopg://{_USER}@/{name}?host={self.directory}"

    def _conninfo(self, name: str) -> str:
        return f"host={self.directory} user={_USER} dbname={name} connect_timeout=2"

    def _run(self, program: str, *arguments: str) -> None:
        finished = subprocess.run(
            [*_as_server_user(), str(self._bin / program), *arguments],
            capture_output=True, text=True, cwd="/", timeout=120, check=False,
        )  # fmt: skip
        if finished.returncode:
            raise RuntimeError(f"{program}: {finished.stderr}")
