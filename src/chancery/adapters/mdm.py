"""Device managers behind webhooks: asked to validate a SCEP challenge, told what became of it.

The bodies have the names of Intune's third-party CA service (ValidateRequest,
SuccessNotification, FailureNotification); the calls are signed and addressed
as every webhook's.
"""

import json
import logging
import time
from base64 import b64encode
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Any, Final

from chancery.adapters.webhook import Endpoint, post
from chancery.domain.certificate import CertificateRecord
from chancery.domain.errors import CAError, NotAuthenticated, Unavailable
from chancery.ports_enrolment import ManagedRequest

_CALLER: Final = "Chancery"
_GOOD: Final = "Success"

_log = logging.getLogger(__name__)


class ManagerHooks:
    """ports_enrolment.DeviceManager."""

    def __init__(self, endpoints: Sequence[Endpoint], new_id: Callable[[], str]) -> None:
        self._endpoints = {endpoint.name: endpoint for endpoint in endpoints}
        self._new_id = new_id

    def validate(self, manager: str, asked: ManagedRequest) -> None:
        status, answer = self._send(manager, "ValidateRequest", asked)
        code = _code(answer)
        if status < 300 and code == _GOOD:
            return
        if status >= 500 or code is None:
            raise Unavailable(
                f"the device manager answered {status}", field="mdm", rule="mdm.unavailable"
            )
        raise NotAuthenticated(
            f"the device manager refuses this request: {code[:80]}",
            field="challengePassword",
            rule="mdm.refused",
            remedy="ask who looks after the device manager",
        )

    def succeeded(self, manager: str, asked: ManagedRequest, issued: CertificateRecord) -> None:
        ends = datetime.fromtimestamp(issued.not_after, UTC)
        self._tell(
            manager,
            "SuccessNotification",
            asked,
            certificateThumbprint=issued.sha256,
            certificateSerialNumber=issued.serial,
            certificateExpirationDateUtc=ends.strftime("%Y-%m-%dT%H:%M:%SZ"),
            issuingCertificateAuthority=issued.authority,
        )

    def failed(self, manager: str, asked: ManagedRequest, why: str) -> None:
        self._tell(manager, "FailureNotification", asked, errorDescription=why[:250])

    def _tell(self, manager: str, operation: str, asked: ManagedRequest, **facts: str) -> None:
        try:
            self._send(manager, operation, asked, **facts)
        except CAError as error:
            _log.warning("device manager %s does not know: %s", manager, error)

    def _send(
        self, manager: str, operation: str, asked: ManagedRequest, **facts: str
    ) -> tuple[int, bytes]:
        endpoint = self._endpoints.get(manager)
        if endpoint is None:
            raise Unavailable(f"no webhook {manager!r}", field="mdm", rule="mdm.unavailable")
        request: dict[str, Any] = {
            "transactionId": asked.transaction,
            "certificateRequest": b64encode(asked.csr).decode(),
            "callerInfo": _CALLER,
            **facts,
        }
        body = json.dumps({"operation": operation, "request": request}).encode()
        return post(endpoint, self._new_id(), body, int(time.time()))


def _code(answer: bytes) -> str | None:
    try:
        found = json.loads(answer)
    except ValueError:
        return None
    code = found.get("code") if isinstance(found, dict) else None
    return code if isinstance(code, str) else None
