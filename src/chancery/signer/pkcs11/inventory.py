"""What is on a token: exactly one key by its label and id, lists, and a trial of everything."""

import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Final

from chancery.domain.algorithms import KeyAlgorithm, SignatureAlgorithm
from chancery.domain.errors import CAError, NotFound, SignerRefused, Unavailable
from chancery.domain.vaults import Probe, TokenKey
from chancery.signer.keypair import verifier
from chancery.signer.pkcs11 import constants as c
from chancery.signer.pkcs11.attributes import FLAGS, public_half, read_public, signing_only
from chancery.signer.pkcs11.cryptoki import TokenError
from chancery.signer.pkcs11.mechanisms import how_to_make, how_to_sign
from chancery.signer.pkcs11.session import Session
from chancery.signer.pkcs11.token import Token

Sessions = Callable[[], AbstractContextManager[Session]]
_KINDS: Final = {
    c.CKK_RSA: "RSA",
    c.CKK_EC: "EC",
    c.CKK_EC_EDWARDS: "Edwards",
    c.CKK_AES: "AES",
    c.CKK_DES3: "3DES",
    c.CKK_GENERIC_SECRET: "generic secret",
}
_MAY_NOT: Final = {
    c.CKA_DECRYPT: "it may decrypt",
    c.CKA_UNWRAP: "it may unwrap keys",
    c.CKA_DERIVE: "it may derive keys",
}
_TRIED: Final = (
    (KeyAlgorithm.EC_P256, SignatureAlgorithm.ECDSA_SHA256),
    (KeyAlgorithm.RSA_2048, SignatureAlgorithm.RSA_PKCS1_SHA256),
    (KeyAlgorithm.RSA_2048, SignatureAlgorithm.RSA_PSS_SHA256),
    (KeyAlgorithm.ED25519, SignatureAlgorithm.ED25519),
)
_MESSAGE: Final = b"chancery vault test"


def exactly_one(session: Session, label: str, object_id: bytes, kind: int) -> int:
    """The handle of that object.  Raises Unavailable where there is none, or more than one."""
    found = session.find({c.CKA_CLASS: kind, c.CKA_LABEL: label, c.CKA_ID: object_id})
    if len(found) == 1:
        return found[0]
    if not found:
        raise Unavailable(
            f"the token has no key with label {label} and id {object_id.hex()}",
            field="vault",
            rule="vault.key-missing",
            remedy="restore the token's own backup, or put the right token in",
        )
    raise Unavailable(
        f"the token has {len(found)} keys with label {label} and id {object_id.hex()}",
        field="vault",
        rule="vault.key-ambiguous",
        remedy="remove what does not belong there, by the token's own tools",
    )


def demand_signing_only(session: Session, handle: int) -> None:
    """Refuse a key that could have left its token; take from it what is not for signing."""
    if session.number(handle, c.CKA_SENSITIVE) != 1:
        raise _unsafe("it is not sensitive")
    if session.number(handle, c.CKA_EXTRACTABLE) != 0:
        raise _unsafe("it may leave the token")
    for kind, what in _MAY_NOT.items():
        if session.number(handle, kind) == 1:
            try:
                session.write(handle, kind, value=False)
            except TokenError as error:
                if error.lost:
                    raise
                raise _unsafe(what) from error
    if session.number(handle, c.CKA_SIGN) != 1:
        raise _unsafe("it may not sign")


def _unsafe(what: str) -> SignerRefused:
    return SignerRefused(
        f"this key will not do: {what}",
        field="key_id",
        rule="vault.attributes",
        remedy="make a key that is sensitive, not extractable and signs only",
    )


def by_label(session: Session, label: str) -> bytes:
    """The id of the only private key of that label.  Raises NotFound, SignerRefused."""
    found = session.find({c.CKA_CLASS: c.CKO_PRIVATE_KEY, c.CKA_LABEL: label})
    if not found:
        raise NotFound(f"no private key labelled {label}", field="label", rule="vault.key-missing")
    if len(found) > 1:
        raise SignerRefused(
            f"{len(found)} private keys are labelled {label}",
            field="label",
            rule="vault.key-ambiguous",
            remedy="say its id, too",
        )
    return session.read(found[0], c.CKA_ID) or b""


def keys(session: Session) -> list[TokenKey]:
    """Every private and secret key, by label."""
    found: list[TokenKey] = []
    for kind, word in ((c.CKO_PRIVATE_KEY, "private"), (c.CKO_SECRET_KEY, "secret")):
        for handle in session.find({c.CKA_CLASS: kind, c.CKA_TOKEN: True}):
            label = (session.read(handle, c.CKA_LABEL) or b"").decode("utf-8", "replace")
            number = session.number(handle, c.CKA_KEY_TYPE)
            found.append(
                TokenKey(
                    label,
                    (session.read(handle, c.CKA_ID) or b"").hex(),
                    f"{_KINDS.get(number or 0, 'other')} {word} key",
                    None,
                    tuple(word for flag, word in FLAGS.items() if session.number(handle, flag)),
                )
            )
    return sorted(found, key=lambda one: (one.label, one.object_id))


def probe(sessions: Sessions, token: Token) -> list[Probe]:
    """Random octets, then a passing pair of each kind that signs: none of them stays."""
    probes = [_tried("token", lambda: _described(sessions, token))]
    if not probes[0].passed:
        return probes
    for algorithm, name in _TRIED:
        probes.append(_tried(name.value, lambda a=algorithm, n=name: _signs(sessions, token, a, n)))  # type: ignore[misc]
    return probes


def _tried(name: str, trial: Callable[[], str]) -> Probe:
    started = time.perf_counter_ns()
    try:
        passed, detail = True, trial()
    except CAError as error:
        passed, detail = False, str(error)
    except Exception as error:  # noqa: BLE001 - InvalidSignature, or what a broken token provokes
        passed, detail = False, type(error).__name__
    return Probe(name, passed, detail, (time.perf_counter_ns() - started) // 1000)


def _described(sessions: Sessions, token: Token) -> str:
    with sessions() as session:
        session.alive()
        if session.random(32) == session.random(32):
            raise Unavailable("its random octets repeat", rule="vault.random")
    facts = token.facts
    return "" if facts is None else f"{facts.label}, serial {facts.serial}, {facts.model}"


def _signs(
    sessions: Sessions, token: Token, algorithm: KeyAlgorithm, name: SignatureAlgorithm
) -> str:
    make, sign = how_to_make(algorithm), how_to_sign(name)
    assert make is not None
    assert sign is not None
    offered = token.facts.mechanisms if token.facts is not None else ()
    needed = {c.MECHANISMS[m.mechanism] for m in (make.mechanism, sign.mechanism)}
    if missing := needed - set(offered):
        return f"not offered: {', '.join(sorted(missing))}"
    label, object_id = "chancery-test", b"test"
    with sessions() as session:
        public, private = session.generate_pair(
            make.mechanism,
            {**public_half(label, object_id, lasting=False), **make.public},
            signing_only(label, object_id, lasting=False),
        )
        try:
            found = read_public(session, public)
            made = sign.finished(session.sign(private, sign.mechanism, sign.prepared(_MESSAGE)))
        finally:
            for handle in (public, private):
                try:
                    session.destroy(handle)
                except TokenError:
                    break  # it goes with the session
    if found is None:
        raise Unavailable("it does not tell the public key", rule="vault.public-key")
    from cryptography.hazmat.primitives.serialization import (  # noqa: PLC0415
        load_der_public_key,
    )

    verifier(load_der_public_key(found[1]), name)(made, _MESSAGE)
    return "made a key, signed, verified, destroyed it"
