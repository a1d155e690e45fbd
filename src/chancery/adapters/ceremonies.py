"""WebAuthn ceremonies of one relying party, with the library ``webauthn``."""

import hashlib
import json
from collections.abc import Sequence
from typing import Any, Final

import webauthn
from webauthn.helpers import base64url_to_bytes, bytes_to_base64url, options_to_json_dict
from webauthn.helpers.exceptions import WebAuthnException
from webauthn.helpers.structs import (
    AuthenticatorSelectionCriteria,
    AuthenticatorTransport,
    PublicKeyCredentialDescriptor,
    ResidentKeyRequirement,
    UserVerificationRequirement,
)

from chancery.domain.errors import BadRequest, Conflict
from chancery.domain.web_session import Passkey
from chancery.ports_sign_in import NewPasskey

_TIMEOUT_MS: Final = 120_000
_TRANSPORTS: Final = {transport.value for transport in AuthenticatorTransport}


class Ceremonies:
    """What ``passkeys.WebAuthnPasskeys`` promises, once somebody needs it."""

    def __init__(self, rp_id: str, origin: str, name: str) -> None:
        self._rp_id = rp_id
        self._origin = origin
        self._name = name

    def creation_options(
        self, user: str, display_name: str, challenge: bytes, known: Sequence[Passkey]
    ) -> dict[str, Any]:
        options = webauthn.generate_registration_options(
            rp_id=self._rp_id,
            rp_name=self._name,
            user_name=user,
            user_display_name=display_name,
            # An opaque handle: WebAuthn §14.6.1 wants nothing in it that names a person.
            user_id=hashlib.sha256(f"chancery passkey {user}".encode()).digest(),
            challenge=challenge,
            timeout=_TIMEOUT_MS,
            authenticator_selection=AuthenticatorSelectionCriteria(
                resident_key=ResidentKeyRequirement.PREFERRED,
                user_verification=UserVerificationRequirement.REQUIRED,
            ),
            exclude_credentials=_descriptors(known),
        )
        document: dict[str, Any] = options_to_json_dict(options)
        return document

    def created(self, answer: str, challenge: bytes) -> NewPasskey:
        try:
            verified = webauthn.verify_registration_response(
                credential=answer,
                expected_challenge=challenge,
                expected_rp_id=self._rp_id,
                expected_origin=self._origin,
                require_user_verification=True,
            )
        except (WebAuthnException, ValueError, TypeError, KeyError, AttributeError) as error:
            raise _refused() from error
        return NewPasskey(
            bytes_to_base64url(verified.credential_id),
            verified.credential_public_key,
            verified.sign_count,
            verified.credential_backed_up,
            _transports(answer),
        )

    def request_options(self, challenge: bytes, known: Sequence[Passkey]) -> dict[str, Any]:
        options = webauthn.generate_authentication_options(
            rp_id=self._rp_id,
            challenge=challenge,
            timeout=_TIMEOUT_MS,
            allow_credentials=_descriptors(known),
            user_verification=UserVerificationRequirement.REQUIRED,
        )
        document: dict[str, Any] = options_to_json_dict(options)
        return document

    def credential_id(self, answer: str) -> str:
        try:
            found = json.loads(answer)
            claimed = found.get("id") if isinstance(found, dict) else None
        except ValueError:
            claimed = None
        return claimed if isinstance(claimed, str) else ""

    def proven(self, answer: str, challenge: bytes, passkey: Passkey) -> int:
        try:
            verified = webauthn.verify_authentication_response(
                credential=answer,
                expected_challenge=challenge,
                expected_rp_id=self._rp_id,
                expected_origin=self._origin,
                credential_public_key=passkey.public_key,
                credential_current_sign_count=0,  # checked below, once the signature holds
                require_user_verification=True,
            )
        except (WebAuthnException, ValueError, TypeError, KeyError, AttributeError) as error:
            raise _refused() from error
        count = verified.new_sign_count
        # WebAuthn §6.1.1: two that count are one authenticator and its copy.
        if (count or passkey.sign_count) and count <= passkey.sign_count:
            raise Conflict(
                "this passkey has a copy somewhere: it is not accepted",
                field="passkey",
                rule="passkey.sign-count",
                remedy="sign in another way, remove this passkey and register a new one",
            )
        return count


def _descriptors(known: Sequence[Passkey]) -> list[PublicKeyCredentialDescriptor]:
    return [
        PublicKeyCredentialDescriptor(
            id=base64url_to_bytes(passkey.id),
            transports=[AuthenticatorTransport(one) for one in passkey.transports] or None,
        )
        for passkey in known
    ]


def _transports(answer: str) -> tuple[str, ...]:
    """How the browser says the authenticator is reached: a hint, kept for the next time."""
    told = json.loads(answer).get("response", {}).get("transports", ())
    return tuple(sorted(_TRANSPORTS & {one for one in told if isinstance(one, str)}))


def _refused() -> BadRequest:
    return BadRequest(
        "the passkey's answer does not hold",
        field="passkey",
        rule="passkey.answer",
        remedy="try again; if it persists, register the passkey anew",
    )
