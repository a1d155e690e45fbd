"""Using managed keys: encrypt, decrypt, sign, verify, MAC, random."""

from typing import Annotated

from pydantic import Field

from chancery.api.bodies import Using
from chancery.api.key_models import Octets, Version, octets, text_of
from chancery.api.models import In, Name, Out, Text
from chancery.api.routing import Door, Who
from chancery.domain.identity import Permission

door = Door("/keys", "keys")
random_door = Door("/random", "keys")

Ciphertext = Annotated[str, Field(max_length=1024 * 1024)]
Algorithm = Annotated[str, Field(max_length=40)]


class EncryptIn(In):
    plaintext: Octets
    aad: Octets = ""


class CiphertextOut(Out):
    """A ciphertext; it names the key and the version that it needs."""

    ciphertext: str


class DecryptIn(In):
    ciphertext: Ciphertext
    aad: Octets = ""
    despite: Text = Field(
        default="", description="Why it is read though the key is suspended or compromised."
    )


class PlaintextOut(Out):
    plaintext: str
    version: int


class RewrapIn(In):
    ciphertext: Ciphertext
    aad: Octets = ""
    to: Name | None = None


class SignIn(In):
    data: Octets
    algorithm: Algorithm = ""


class SignatureOut(Out):
    """A signature or MAC, in base64, and which version made it."""

    signature: str
    version: int
    algorithm: str


class VerifyIn(In):
    data: Octets
    signature: Octets
    algorithm: Algorithm = ""
    version: Version | None = None


class MacOut(Out):
    mac: str
    version: int
    algorithm: str


class DataIn(In):
    data: Octets


class MacIn(In):
    data: Octets
    mac: Octets
    version: Version | None = None


class ValidOut(Out):
    valid: bool


class RandomIn(In):
    count: Annotated[int, Field(ge=1, le=65_536)]


class RandomOut(Out):
    data: str


@door.route("POST", "/{name}/encrypt", Permission.KEY_USE)
def encrypt(who: Who, using: Using, name: str, body: EncryptIn) -> CiphertextOut:
    """Encrypt with the current version: AES-GCM; *aad* must be given again to decrypt."""
    plain, aad = octets(body.plaintext, "plaintext"), octets(body.aad, "aad")
    return CiphertextOut(ciphertext=using.keys.using.encrypt(who, name, plain, aad))


@door.route("POST", "/{name}/decrypt", Permission.KEY_USE)
def decrypt(who: Who, using: Using, name: str, body: DecryptIn) -> PlaintextOut:
    """Decrypt with the version that the ciphertext names."""
    aad = octets(body.aad, "aad")
    plain, version = using.keys.using.decrypt(who, name, body.ciphertext, aad, body.despite)
    return PlaintextOut(plaintext=text_of(plain), version=version)


@door.route("POST", "/{name}/rewrap", Permission.KEY_USE)
def rewrap(who: Who, using: Using, name: str, body: RewrapIn) -> CiphertextOut:
    """Encrypt anew under the current version or another key; nobody sees the plain text."""
    aad = octets(body.aad, "aad")
    made = using.keys.using.rewrap(who, name, body.ciphertext, aad, body.to or "")
    return CiphertextOut(ciphertext=made)


@door.route("POST", "/{name}/sign", Permission.KEY_USE)
def sign(who: Who, using: Using, name: str, body: SignIn) -> SignatureOut:
    """Sign data with the current version."""
    made = using.keys.using.sign(who, name, octets(body.data, "data"), body.algorithm)
    return SignatureOut(
        signature=text_of(made.data), version=made.version, algorithm=made.algorithm
    )


@door.route("POST", "/{name}/verify", Permission.KEY_USE)
def verify(who: Who, using: Using, name: str, body: VerifyIn) -> ValidOut:
    """Say whether a signature is the key's."""
    data, signature = octets(body.data, "data"), octets(body.signature, "signature")
    valid = using.keys.using.verify(who, name, data, signature, body.algorithm, body.version)
    return ValidOut(valid=valid)


@door.route("POST", "/{name}/mac", Permission.KEY_USE)
def mac(who: Who, using: Using, name: str, body: DataIn) -> MacOut:
    """Authenticate data: HMAC, or CMAC with AES and TDES keys."""
    made = using.keys.using.mac(who, name, octets(body.data, "data"))
    return MacOut(mac=text_of(made.data), version=made.version, algorithm=made.algorithm)


@door.route("POST", "/{name}/verify-mac", Permission.KEY_USE)
def verify_mac(who: Who, using: Using, name: str, body: MacIn) -> ValidOut:
    """Say whether a MAC, or the first 8 octets or more of it, is the key's."""
    data, given = octets(body.data, "data"), octets(body.mac, "mac")
    return ValidOut(valid=using.keys.using.check_mac(who, name, data, given, body.version))


@random_door.route("POST", "", Permission.KEY_USE)
def random_octets(who: Who, using: Using, body: RandomIn) -> RandomOut:
    """Give octets from the key boundary's random generator."""
    return RandomOut(data=text_of(using.keys.using.random(who, body.count)))
