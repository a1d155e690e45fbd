"""The command that signs a line with a key, for people to copy."""

import shlex
from typing import Final

_DIGEST: Final = {"ec-p384": "sha384", "ec-p521": "sha512"}
_FILE: Final = "revoke.txt"


def command(line: str, family: str, key_file: str = "your.key") -> str:
    """For a POSIX shell: prints the signature in base64.

    *family* is of ``key_family``.  Ed25519 and ML-DSA sign the text itself,
    which OpenSSL takes from a file alone.
    """
    key = shlex.quote(key_file)
    text = f"printf '%s' {shlex.quote(line)}"
    if family == "ed25519" or family.startswith("ml-dsa"):
        return (
            f"{text} > {_FILE}\n"
            f"openssl pkeyutl -sign -rawin -inkey {key} -in {_FILE} | openssl base64"
        )
    digest = _DIGEST.get(family, "sha256")
    return f"{text} | openssl dgst -{digest} -sign {key} | openssl base64"
