"""Keys under other keys: AES-KW, AES-KWP, RSA-OAEP and RSA-AES.

AES-KW is RFC 3394 with its own integrity check, AES-KWP RFC 5649 for any
length.  RSA-AES is CKM_RSA_AES_KEY_WRAP of PKCS#11 v3.0 §6.1.8: an AES-256 key
under RSA-OAEP (SHA-256 twice), then the material under that key by AES-KWP.
"""

from typing import Final

from cryptography.hazmat.primitives import hashes, keywrap
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.hazmat.primitives.serialization import load_der_public_key

from chancery.domain.errors import BadKey, BadRequest

KW: Final = "aes-kw"
KWP: Final = "aes-kwp"
OAEP: Final = "rsa-oaep-sha256"
RSA_AES: Final = "rsa-aes-sha256"
AES_METHODS: Final = (KW, KWP)
RSA_METHODS: Final = (OAEP, RSA_AES)
TEMPORARY: Final = 32  # octets of RSA-AES's own AES key


def _oaep() -> padding.OAEP:
    return padding.OAEP(padding.MGF1(hashes.SHA256()), hashes.SHA256(), None)


def wrap(method: str, key: bytes | bytearray, material: bytes | bytearray) -> bytes:
    """Wrap *material* under an AES key.  BadRequest if the method cannot take it."""
    if method == KW:
        if len(material) < 16 or len(material) % 8:
            raise BadRequest(
                "AES-KW takes 16 octets or more, in steps of 8",
                field="method",
                rule="wrap.length",
                remedy=f"use {KWP}",
            )
        return keywrap.aes_key_wrap(bytes(key), bytes(material))
    if method == KWP:
        return keywrap.aes_key_wrap_with_padding(bytes(key), bytes(material))
    raise unknown(method)


def unwrap(method: str, key: bytes | bytearray, wrapped: bytes) -> bytearray:
    """Undo ``wrap``.  BadRequest if it does not open under this key."""
    if method not in AES_METHODS:
        raise unknown(method)
    try:
        if method == KW:
            return bytearray(keywrap.aes_key_unwrap(bytes(key), wrapped))
        return bytearray(keywrap.aes_key_unwrap_with_padding(bytes(key), wrapped))
    except (keywrap.InvalidUnwrap, ValueError):
        raise closed() from None


def wrap_public(method: str, public: rsa.RSAPublicKey, material: bytes, temporary: bytes) -> bytes:
    """Wrap under an RSA key; *temporary* is fresh, TEMPORARY octets, and used by RSA-AES alone."""
    if method == RSA_AES:
        return public.encrypt(temporary, _oaep()) + wrap(KWP, temporary, material)
    if method != OAEP:
        raise unknown(method)
    most = public.key_size // 8 - 66
    if len(material) > most:
        raise BadRequest(
            f"RSA-OAEP under this key takes {most} octets, the key has {len(material)}",
            field="method",
            rule="wrap.length",
            remedy=f"use {RSA_AES}",
        )
    return public.encrypt(material, _oaep())


def unwrap_private(method: str, private: rsa.RSAPrivateKey, wrapped: bytes) -> bytearray:
    """Undo ``wrap_public``.  One answer for whatever is wrong: RSA gives no oracle."""
    size = private.key_size // 8
    try:
        if method == OAEP:
            return bytearray(private.decrypt(wrapped, _oaep()))
        if method != RSA_AES:
            raise unknown(method)
        temporary = private.decrypt(wrapped[:size], _oaep())
        return unwrap(KWP, temporary, wrapped[size:])
    except (ValueError, BadRequest) as error:
        if isinstance(error, BadRequest) and error.rule == "wrap.method":
            raise
        raise closed() from None


def rsa_public(spki: bytes) -> rsa.RSAPublicKey:
    """The RSA public key in DER *spki*.  BadKey for any other, or one too short."""
    try:
        found = load_der_public_key(spki)
    except Exception:  # noqa: BLE001 - OpenSSL's errors have many classes
        found = None
    if not isinstance(found, rsa.RSAPublicKey) or found.key_size < 2048:
        raise BadKey(
            "a wrapping key from outside is an RSA public key of 2048 bits or more",
            field="public_key",
            rule="wrap.public-key",
        )
    return found


def unknown(method: str) -> BadRequest:
    return BadRequest(
        f"{method[:40]!r} is no way to wrap that this key has",
        field="method",
        rule="wrap.method",
        remedy=f"AES keys: {', '.join(AES_METHODS)}; RSA keys: {', '.join(RSA_METHODS)}",
    )


def itself() -> BadRequest:
    """A key under itself tells whoever has it nothing, and everybody else too much."""
    return BadRequest(
        "no key is wrapped under itself",
        field="by",
        rule="wrap.itself",
        remedy="name another wrapping key",
    )


def closed() -> BadRequest:
    """The one answer for everything that does not unwrap."""
    return BadRequest(
        "this does not open under that key: another key wrapped it, or it was altered",
        field="wrapped",
        rule="wrap.closed",
        remedy="compare the check values of the wrapping key on both sides",
    )
