"""RSA's bare operations, for EMV certificates and other formats that no library signs."""

import secrets

from cryptography.hazmat.primitives.asymmetric import rsa

from chancery.domain.errors import BadRequest, Unavailable


def checked(public: rsa.RSAPublicNumbers, block: bytes) -> int:
    """*block* as a number below the modulus, and of its length.  Raises BadRequest."""
    size = (public.n.bit_length() + 7) // 8
    number = int.from_bytes(block)
    if len(block) != size or number >= public.n:
        raise BadRequest(
            f"a block for this key has {size} octets and is a number below its modulus",
            field="block",
            rule="rsa.block",
        )
    return number


def proven(public: rsa.RSAPublicNumbers, block: bytes, made: bytes) -> bytes:
    """Return *made* if the public operation leads back to *block*: one fault gives a key away."""
    if pow(int.from_bytes(made), public.e, public.n) != int.from_bytes(block):
        raise Unavailable("a bare RSA operation went wrong", rule="signer.fault")
    return made


def private(key: rsa.RSAPrivateKey, block: bytes) -> bytes:
    """The private operation.  Base and exponent are blinded, since Python's pow takes its time."""
    numbers = key.private_numbers()
    public = numbers.public_numbers
    number, n = checked(public, block), public.n
    blind = secrets.randbelow(n - 2) + 2
    order = (numbers.p - 1) * (numbers.q - 1)
    exponent = numbers.d + secrets.randbits(64) * order
    masked = pow(number * pow(blind, public.e, n) % n, exponent, n)
    made = (masked * pow(blind, -1, n) % n).to_bytes(len(block))
    return proven(public, block, made)
