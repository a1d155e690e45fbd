"""A mail server of our own: aiosmtpd over TLS, which keeps what it gets."""

import email
import email.policy
import ssl
import threading
from email.message import EmailMessage
from typing import Any

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword, Session


class Mailbox:
    """Takes mail on 127.0.0.1; *answers* are given first, one a message, before it takes any."""

    def __init__(
        self,
        context: ssl.SSLContext | None,
        *,
        implicit: bool = False,
        user: tuple[str, str] | None = None,
    ) -> None:
        self.got: list[tuple[Envelope, EmailMessage]] = []
        self.answers: list[str] = []
        self.signed_in = 0
        self._user = user
        options: dict[str, Any] = {"hostname": "127.0.0.1", "port": 0}
        if implicit:
            options["ssl_context"] = context
        elif context is not None:
            options |= {"tls_context": context, "require_starttls": True}
        if user is not None:
            options |= {
                "authenticator": self._sign_in,
                "auth_required": not implicit,
                "auth_require_tls": not implicit,  # it takes an implicit TLS for none
            }
        self._controller = _Controller(self, **options)
        self._arrived = threading.Condition()

    def start(self) -> "Mailbox":
        self._controller.start()
        return self

    def stop(self) -> None:
        self._controller.stop()

    @property
    def port(self) -> int:
        return int(self._controller.port)

    def wait(self, count: int, timeout_s: float = 20) -> list[EmailMessage]:
        """The messages, once there are *count*."""
        with self._arrived:
            arrived = self._arrived.wait_for(lambda: len(self.got) >= count, timeout_s)
        assert arrived, self.got
        return [message for _, message in self.got]

    def _sign_in(
        self, server: SMTP, session: Session, envelope: Envelope, mechanism: str, data: Any
    ) -> AuthResult:
        assert isinstance(data, LoginPassword)
        good = (data.login.decode(), data.password.decode()) == self._user
        self.signed_in += good
        return AuthResult(success=good, handled=good)

    # What aiosmtpd asks of its handler

    async def handle_RCPT(  # noqa: N802 - aiosmtpd's name
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: Any
    ) -> str:
        if self.answers:
            return self.answers.pop(0)
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:  # noqa: N802
        content = envelope.original_content or b""
        message = email.message_from_bytes(content, policy=email.policy.default)
        with self._arrived:
            self.got.append((envelope, message))
            self._arrived.notify_all()
        return "250 kept"


class _Controller(Controller):
    def _trigger_server(self) -> None:
        self.port = int(self.server.sockets[0].getsockname()[1])  # it was asked for any
        super()._trigger_server()
