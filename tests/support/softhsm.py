"""SoftHSM2 from Debian, each with a configuration and a token directory of its own."""

import os
import subprocess
from dataclasses import dataclass
from pathlib import Path

MODULE = Path("/usr/lib/softhsm/libsofthsm2.so")
SO_PIN = "87654321"
PIN = "123456"


@dataclass(frozen=True)
class SoftHsm:
    """Tokens in *home*.  A process takes them from SOFTHSM2_CONF, once, when it initialises."""

    home: Path

    @classmethod
    def create(cls, home: Path) -> "SoftHsm":
        (home / "tokens").mkdir(parents=True)
        (home / "softhsm2.conf").write_text(
            f"directories.tokendir = {home / 'tokens'}\nobjectstore.backend = file\n"
            "log.level = ERROR\nslots.removable = false\n"
        )
        return cls(home)

    @property
    def environment(self) -> dict[str, str]:
        return {**os.environ, "SOFTHSM2_CONF": str(self.home / "softhsm2.conf")}

    def add(self, label: str, pin: str = PIN) -> Path:
        """Make a token; the file with its PIN."""
        self.run(
            "softhsm2-util", "--init-token", "--free", "--label", label,
            "--so-pin", SO_PIN, "--pin", pin,
        )  # fmt: skip
        return self.pin_file(label, pin)

    def settings(self, label: str) -> str:
        """TOML of a vault on that token, under its name."""
        return (
            f'\n[[vaults]]\nname = "{label}"\nkind = "pkcs11"\nmodule = "{MODULE}"\n'
            f'token = "{label}"\npin_file = "{self.home / f"{label}.pin"}"\n'
        )

    def pin_file(self, label: str, pin: str) -> Path:
        path = self.home / f"{label}.pin"
        path.touch(0o600)
        path.write_text(pin + "\n")
        return path

    def tool(self, *arguments: str, label: str = "hsm") -> str:
        """What OpenSC's pkcs11-tool says, logged in."""
        return self.run(
            "pkcs11-tool", "--module", str(MODULE), "--token-label", label,
            "--login", "--pin", PIN, *arguments,
        )  # fmt: skip

    def run(self, *command: str) -> str:
        finished = subprocess.run(
            command,
            env=self.environment,
            capture_output=True,
            text=True,
            timeout=30,
            check=False,
        )
        assert finished.returncode == 0, finished.stdout + finished.stderr
        return finished.stdout

    def remove(self) -> None:
        """Pull the tokens out: their directory is gone."""
        (self.home / "tokens").rename(self.home / "away")

    def put_back(self) -> None:
        (self.home / "away").rename(self.home / "tokens")
