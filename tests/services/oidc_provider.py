"""An OpenID provider that nobody here wrote: npm ``oidc-provider``, installed into a cache of ours."""

import hashlib
import json
import os
import secrets
import shutil
import ssl
import subprocess
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx2
from joserfc.jwk import ECKey, OKPKey, RSAKey

from services.instance import free_port
from services.tls_files import Authority

_SOURCES = Path(__file__).with_name("oidc")
_START_S = 30
ALGORITHMS = ("RS256", "PS256", "ES256", "EdDSA", "HS256")
SECRET = "the client's secret: 100% +odd/ ones"


class Missing(Exception):
    """There is no Node.js on this machine to run it with, or no registry to install it from."""


def installed() -> Path:
    """The directory with the program and its packages, as the lock file has them."""
    if shutil.which("node") is None or shutil.which("npm") is None:
        raise Missing("no Node.js found (Debian: apt-get install nodejs npm)")
    lock = (_SOURCES / "package-lock.json").read_bytes()
    caches = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    home = caches / "chancery-tests" / f"oidc-provider-{hashlib.sha256(lock).hexdigest()[:12]}"
    if not (home / "installed").exists():
        home.mkdir(parents=True, exist_ok=True)
        for name in ("package.json", "package-lock.json"):
            shutil.copy(_SOURCES / name, home / name)
        done = subprocess.run(
            ["npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund"],
            cwd=home, capture_output=True, text=True, timeout=300, check=False,
        )  # fmt: skip
        if done.returncode:
            raise Missing(f"npm ci: {done.stderr[-500:]}")
        (home / "installed").touch()
    shutil.copy(_SOURCES / "provider.mjs", home / "provider.mjs")
    return home


@dataclass
class Provider:
    """One provider, with a client ``chancery-ALG`` for each way of signing."""

    directory: Path
    authority: Authority
    redirect_uri: str = ""
    port: int = field(default_factory=free_port)
    people: dict[str, dict[str, Any]] = field(default_factory=dict)
    home: Path = field(default_factory=installed)
    _process: "subprocess.Popen[str] | None" = None

    @classmethod
    def create(cls, redirect_uri: str, authority: Authority | None = None) -> "Provider":
        made = cls.prepare(authority)
        made.open(redirect_uri)
        return made

    @classmethod
    def prepare(cls, authority: Authority | None = None) -> "Provider":
        """One that does not run yet: whoever needs its issuer first can have it."""
        directory = Path(tempfile.mkdtemp(prefix="chancery-oidc-"))
        made = cls(directory, authority or Authority.create("Provider Root"))
        made.authority.server("localhost", "127.0.0.1").write(
            directory / "server.pem", directory / "server.key"
        )
        (directory / "ca.pem").write_bytes(made.authority.pem)
        made.knows("alice", groups=["ra-officers"])
        return made

    def open(self, redirect_uri: str) -> None:
        """Begin to serve a client there."""
        self.redirect_uri = redirect_uri
        (self.directory / "settings.json").write_text(json.dumps(self._settings()))
        self.start()

    @property
    def issuer(self) -> str:
        return f"https://localhost:{self.port}"

    def knows(self, login: str, **claims: Any) -> dict[str, Any]:
        """Let somebody have these claims, besides what everybody has."""
        before = self.people.get(login, {})
        usual = {
            "sub": secrets.token_hex(8),
            "name": f"{login.capitalize()} Example",
            "preferred_username": login,
            "email": f"{login}@example.org",
            "email_verified": True,
        }
        self.people[login] = usual | before | claims
        (self.directory / "people.json").write_text(json.dumps(self.people))
        return self.people[login]

    def start(self) -> None:
        log = (self.directory / "log").open("a")
        with log:
            self._process = subprocess.Popen(
                ["setpriv", "--pdeathsig", "KILL", "node", "provider.mjs",
                 str(self.directory / "settings.json")],
                cwd=self.home, stdout=subprocess.PIPE, stderr=log, text=True,
            )  # fmt: skip
        assert self._process.stdout is not None
        if "ready" not in self._process.stdout.readline():
            raise RuntimeError((self.directory / "log").read_text())

    def stop(self) -> None:
        if self._process is not None:
            self._process.terminate()
            self._process.wait(timeout=_START_S)
            assert self._process.stdout is not None
            self._process.stdout.close()
            self._process = None

    def remove(self) -> None:
        self.stop()
        shutil.rmtree(self.directory)

    def browse(self, url: str, login: str, cookies: Mapping[str, str] | None = None) -> str:
        """Do what a browser does at the provider; return the URL that it is sent back to."""
        context = ssl.create_default_context(cadata=self.authority.pem.decode())
        with httpx2.Client(verify=context, trust_env=False, cookies=dict(cookies or {})) as client:
            answer = client.get(url)
            for _ in range(10):
                if answer.is_redirect:
                    target = str(answer.headers["location"])
                    if target.startswith(self.redirect_uri):
                        return target
                    answer = client.get(answer.url.join(target))
                elif answer.status_code == 200 and "/interaction/" in str(answer.url):
                    answer = client.post(answer.url, data={"login": login})
                else:
                    raise AssertionError(
                        f"{answer.status_code} at {answer.url}: {answer.text[:500]}"
                    )
        raise AssertionError("it never came back")

    def _settings(self) -> dict[str, Any]:
        directory = self.directory
        keys = [
            RSAKey.generate_key(2048, {"kid": "rsa", "use": "sig"}),
            ECKey.generate_key("P-256", {"kid": "ec", "use": "sig"}),
            OKPKey.generate_key("Ed25519", {"kid": "okp", "use": "sig"}),
        ]
        return {
            "port": self.port,
            "issuer": self.issuer,
            "certificate": str(directory / "server.pem"),
            "key": str(directory / "server.key"),
            "people": str(directory / "people.json"),
            "clients": [self._client(algorithm) for algorithm in ALGORITHMS],
            "jwks": {"keys": [key.as_dict(private=True) for key in keys]},
        }

    def _client(self, algorithm: str) -> dict[str, Any]:
        return {
            "client_id": f"chancery-{algorithm}",
            "client_secret": SECRET,
            "redirect_uris": [self.redirect_uri],
            "post_logout_redirect_uris": [
                self.redirect_uri.partition("/console")[0] + "/console/sign-in"
            ],
            "response_types": ["code"],
            "grant_types": ["authorization_code"],
            "id_token_signed_response_alg": algorithm,
            "token_endpoint_auth_method": "client_secret_basic",
        }
