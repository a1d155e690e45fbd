"""The commands that make a fitting certification request, for people to copy.

Whatever stands in them is quoted for the shell they are for, so that a name
can never become a command; what a tool cannot say is left out and noted.
"""

import re
import shlex
from dataclasses import dataclass
from typing import Final

from chancery.domain.algorithms import KeyAlgorithm
from chancery.domain.names import SHORT_NAMES, GeneralName, NameKind
from chancery.domain.subject import resolve
from chancery.services.portal.wishes import Wish

_STEM: Final = re.compile(r"[^A-Za-z0-9._-]+")
_UPN_OID: Final = "1.3.6.1.4.1.311.20.2.3"
_NEW_KEY: Final[dict[KeyAlgorithm, str]] = {
    KeyAlgorithm.RSA_2048: "-newkey rsa:2048",
    KeyAlgorithm.RSA_3072: "-newkey rsa:3072",
    KeyAlgorithm.RSA_4096: "-newkey rsa:4096",
    KeyAlgorithm.EC_P256: "-newkey ec -pkeyopt ec_paramgen_curve:P-256",
    KeyAlgorithm.EC_P384: "-newkey ec -pkeyopt ec_paramgen_curve:P-384",
    KeyAlgorithm.EC_P521: "-newkey ec -pkeyopt ec_paramgen_curve:P-521",
    KeyAlgorithm.ED25519: "-newkey ed25519",
    KeyAlgorithm.ML_DSA_44: "-newkey ml-dsa-44",
    KeyAlgorithm.ML_DSA_65: "-newkey ml-dsa-65",
    KeyAlgorithm.ML_DSA_87: "-newkey ml-dsa-87",
}
_CERTTOOL_KEY: Final[dict[KeyAlgorithm, str]] = {
    KeyAlgorithm.RSA_2048: "--key-type=rsa --bits=2048",
    KeyAlgorithm.RSA_3072: "--key-type=rsa --bits=3072",
    KeyAlgorithm.RSA_4096: "--key-type=rsa --bits=4096",
    KeyAlgorithm.EC_P256: "--key-type=ecdsa --curve=secp256r1",
    KeyAlgorithm.EC_P384: "--key-type=ecdsa --curve=secp384r1",
    KeyAlgorithm.EC_P521: "--key-type=ecdsa --curve=secp521r1",
    KeyAlgorithm.ED25519: "--key-type=ed25519",
}
_CERTREQ_KEY: Final[dict[KeyAlgorithm, tuple[str, int, str]]] = {
    KeyAlgorithm.RSA_2048: ("RSA", 2048, "SHA256"),
    KeyAlgorithm.RSA_3072: ("RSA", 3072, "SHA256"),
    KeyAlgorithm.RSA_4096: ("RSA", 4096, "SHA256"),
    KeyAlgorithm.EC_P256: ("ECDSA_P256", 256, "SHA256"),
    KeyAlgorithm.EC_P384: ("ECDSA_P384", 384, "SHA384"),
    KeyAlgorithm.EC_P521: ("ECDSA_P521", 521, "SHA512"),
}
_ML_DSA: Final = "ML-DSA keys need OpenSSL 3.5 or newer"


@dataclass(frozen=True, slots=True)
class Recipe:
    """Commands for one wish.  None: the tool cannot make such a request.

    *openssl* and *certtool* are for a POSIX shell, *certreq* for PowerShell on
    Windows.  *existing* makes a request for a key that is there already.
    """

    openssl: str
    existing: str
    certtool: str | None
    certreq: str | None
    key_file: str
    csr_file: str
    notes: tuple[str, ...]


def recipe(wish: Wish) -> Recipe:
    """Write the commands for *wish*."""
    stem = _stem(wish)
    key_file, csr_file = f"{stem}.key", f"{stem}.csr"
    notes = [*_openssl_gaps(wish), *([_ML_DSA] if wish.key.startswith("ml-dsa") else [])]
    options = _openssl_content(wish)
    return Recipe(
        openssl=_joined(
            [
                "openssl req -new -nodes",
                _NEW_KEY[wish.key],
                f"-keyout {shlex.quote(key_file)} -out {shlex.quote(csr_file)}",
                *options,
            ]
        ),
        existing=_joined(
            [
                "openssl req -new",
                f"-key {shlex.quote(key_file)} -out {shlex.quote(csr_file)}",
                *options,
            ]
        ),
        certtool=_certtool(wish, stem),
        certreq=_certreq(wish, stem),
        key_file=key_file,
        csr_file=csr_file,
        notes=tuple(notes),
    )


def _stem(wish: Wish) -> str:
    first = wish.names[0].value if wish.names else (wish.subject or (("", "request"),))[0][1]
    return _STEM.sub("_", first).strip("._-")[:60] or "request"


def _joined(lines: list[str]) -> str:
    return " \\\n  ".join(lines)


# OpenSSL


def _openssl_content(wish: Wish) -> list[str]:
    subject = "".join(
        f"/{name}={_slashed(value)}" for name, value in wish.subject if name in _OPENSSL_KNOWS
    )
    encoding = "" if subject.isascii() else "-utf8 "
    lines = [f"{encoding}-subj {shlex.quote(subject or '/')}"]
    names = ",".join(_openssl_name(name) for name in wish.names if _openssl_can(name))
    if names:
        lines.append(f"-addext {shlex.quote(f'subjectAltName={names}')}")
    return lines


def _slashed(value: str) -> str:
    r"""Protect what ends a value or an RDN in ``-subj``: ``/``, ``+`` and ``\``."""
    return re.sub(r"([/+\\])", r"\\\1", value)


_OPENSSL_KNOWS: Final = frozenset(SHORT_NAMES.values())


def _openssl_can(name: GeneralName) -> bool:
    """A comma ends a name in ``-addext``, and nothing protects it."""
    kinds = (NameKind.DIRECTORY, NameKind.OTHER)
    return name.kind not in kinds and "," not in name.value


def _openssl_name(name: GeneralName) -> str:
    value = re.sub(r"""(['"\\$#`])""", r"\\\1", name.value)  # config(5): these would vanish
    match name.kind:
        case NameKind.UPN:
            return f"otherName:{_UPN_OID};UTF8:{value}"
        case NameKind.REGISTERED_ID:
            return f"RID:{value}"
        case NameKind.EMAIL:
            return f"email:{value}"
        case kind:
            return f"{kind.value.upper()}:{value}"


def _openssl_gaps(wish: Wish) -> list[str]:
    left_out = [name.text for name in wish.names if not _openssl_can(name)]
    left_out += [name for name, _ in wish.subject if name not in _OPENSSL_KNOWS]
    if not left_out:
        return []
    return ["left out, because it needs a configuration file: " + ", ".join(left_out)]


# GnuTLS

_CERTTOOL_NAMES: Final = {
    NameKind.DNS: "dns_name",
    NameKind.IP: "ip_address",
    NameKind.EMAIL: "email",
    NameKind.URI: "uri",
}


def _certtool(wish: Wish, stem: str) -> str | None:
    key = _CERTTOOL_KEY.get(wish.key)
    lines = [f'dn_oid = "{resolve(name)} {value}"' for name, value in wish.subject]
    for name in wish.names:
        option = _CERTTOOL_NAMES.get(name.kind)
        if option is not None:
            lines.append(f'{option} = "{name.value}"')
        elif name.kind is NameKind.UPN:
            lines.append(f'other_name_utf8 = "{_UPN_OID} {name.value}"')
        else:
            return None
    values = [value for _, value in wish.subject] + [name.value for name in wish.names]
    # Its templates have no dependable way to write these inside quotes.
    if key is None or any(mark in value for value in values for mark in '"\\'):
        return None
    template, key_file, csr_file = (shlex.quote(f"{stem}.{end}") for end in ("tmpl", "key", "csr"))
    return "\n".join(
        [
            f"cat > {template} <<'END'",
            *lines,
            "END",
            f"certtool --generate-privkey {key} --outfile {key_file}",
            f"certtool --generate-request --load-privkey {key_file} \\",
            f"  --template {template} --outfile {csr_file}",
        ]
    )


# Windows

_CERTREQ_NAMES: Final = {
    NameKind.DNS: "dns",
    NameKind.IP: "ipaddress",
    NameKind.EMAIL: "email",
    NameKind.URI: "url",
    NameKind.UPN: "upn",
}


def _certreq(wish: Wish, stem: str) -> str | None:
    """An INF file in a here-string that expands nothing, and certreq over it.

    The key stays in the machine's store: ``certreq -accept`` marries it to
    the certificate.
    """
    found = _CERTREQ_KEY.get(wish.key)
    texts = [name.value for name in wish.names] + [value for _, value in wish.subject]
    plain = not any(mark in text for text in texts for mark in '"&%')
    if found is None or not plain or any(n.kind not in _CERTREQ_NAMES for n in wish.names):
        return None
    algorithm, bits, digest = found
    subject = ", ".join(f"{_windows_name(name)}={_quoted(value)}" for name, value in wish.subject)
    names = [f'_continue_ = "{_CERTREQ_NAMES[name.kind]}={name.value}&"' for name in wish.names]
    extensions = ["[Extensions]", '2.5.29.17 = "{text}"', *names] if names else []
    return "\n".join(
        [
            "@'",
            "[Version]",
            'Signature = "$Windows NT$"',
            "[NewRequest]",
            f'Subject = "{subject}"',
            f"KeyAlgorithm = {algorithm}",
            f"KeyLength = {bits}",
            f"HashAlgorithm = {digest}",
            "MachineKeySet = TRUE",
            "RequestType = PKCS10",
            *extensions,
            f"'@ | Set-Content -Encoding ascii {stem}.inf"
            if all(map(str.isascii, texts))
            else f"'@ | Set-Content -Encoding unicode {stem}.inf",
            f"certreq -new {stem}.inf {stem}.csr",
        ]
    )


def _windows_name(name: str) -> str:
    """CryptoAPI's names where they differ from ours; an OID for the rest."""
    known = {"emailAddress": "E", "ST": "S", "GN": "G", "DC": "DC"}
    plain = {"C", "O", "OU", "CN", "L", "SN"}
    return known.get(name) or (name if name in plain else f"OID.{resolve(name)}")


def _quoted(value: str) -> str:
    """X.500 text inside an INF string: doubled quotes around what has a separator in it."""
    return f'""{value}""' if re.search(r"[,+=;<>#\n]|^\s|\s$", value) else value
