"""Mail over SMTP: one message a recipient, its headers made by the standard library's policy."""

import contextlib
import re
import smtplib
import socket
import ssl
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from email.errors import MessageError
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime
from pathlib import Path
from typing import Final, Literal

from chancery.domain import name_syntax
from chancery.domain.errors import BadName, BadRequest, Unavailable
from chancery.domain.notification import Message

Security = Literal["starttls", "tls", "none"]
_CONTROL: Final = re.compile(r"[\x00-\x1f\x7f\u0085\u2028\u2029]+")
_MAX_SUBJECT: Final = 200  # characters
_MAX_SAID: Final = 200  # characters of what a server says that are kept


@dataclass(frozen=True, slots=True)
class SmtpAccount:
    """Where mail goes in.  *security* ``none`` is for a relay on this machine.

    *ca_file* names who may vouch for the server (PEM); None: whom the system
    trusts.  The password is read each time, so that it can be changed.
    """

    host: str
    port: int
    security: Security
    sender: str
    sender_name: str = ""
    username: str | None = None
    password_file: Path | None = None
    ca_file: Path | None = None
    timeout_s: float = 30.0


class SmtpMailer:
    """``ports_work.Mailer``.  Every call opens a connection of its own: mail is rare."""

    def __init__(self, account: SmtpAccount) -> None:
        self._account = account
        self._from = Address(_plain(account.sender_name), addr_spec=account.sender)

    def send(self, message_id: str, recipient: str, message: Message, sent_at: int) -> None:
        mail = self.compose(message_id, recipient, message, sent_at)
        with self._connected() as server, _told("the mail server"):
            server.send_message(mail, self._account.sender, [recipient])

    def check(self) -> None:
        with self._connected() as server, _told("the mail server"):
            server.noop()

    def compose(
        self, message_id: str, recipient: str, message: Message, sent_at: int
    ) -> EmailMessage:
        """Make the message; BadRequest for an address that mail cannot have."""
        try:
            name_syntax.email(recipient)
            mail = EmailMessage(policy=SMTP)
            mail["From"] = self._from
            mail["To"] = Address(addr_spec=recipient)
            mail["Subject"] = _plain(message.subject)[:_MAX_SUBJECT] or "Chancery"
            mail["Date"] = format_datetime(datetime.fromtimestamp(sent_at, UTC))
            mail["Message-ID"] = f"<{message_id}@{self._account.sender.rpartition('@')[2]}>"
            # RFC 3834 §5: nobody's holiday answers this.
            mail["Auto-Submitted"] = "auto-generated"
            mail["X-Auto-Response-Suppress"] = "All"
            mail.set_content(message.text, charset="utf-8", cte="quoted-printable")
            mail.add_alternative(
                message.html, subtype="html", charset="utf-8", cte="quoted-printable"
            )
        except (BadName, ValueError, MessageError) as error:
            raise BadRequest(
                f"no mail can be sent to {recipient[:100]!r}: {error}",
                field="recipient",
                rule="mail.address",
                remedy="correct the address of the account or the registration authority",
            ) from error
        return mail

    @contextlib.contextmanager
    def _connected(self) -> Iterator[smtplib.SMTP]:
        account = self._account
        with _told(f"{account.host}:{account.port}"):
            server = self._open()
        try:
            with _told(f"{account.host}:{account.port}"):
                if account.security == "starttls":
                    server.starttls(context=_context(account.ca_file))
                if account.username is not None and account.password_file is not None:
                    server.login(account.username, _password(account.password_file))
            yield server
        finally:
            with contextlib.suppress(OSError, smtplib.SMTPException):
                server.quit()
            server.close()

    def _open(self) -> smtplib.SMTP:
        account = self._account
        if account.security == "tls":
            return smtplib.SMTP_SSL(
                account.host,
                account.port,
                timeout=account.timeout_s,
                context=_context(account.ca_file),
            )
        return smtplib.SMTP(account.host, account.port, timeout=account.timeout_s)


def _context(ca_file: Path | None) -> ssl.SSLContext:
    """TLS 1.2 or later, the server's chain and name verified."""
    context = ssl.create_default_context(cafile=ca_file)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    return context


def _password(path: Path) -> str:
    return path.read_text().rstrip("\r\n")


def _plain(text: str) -> str:
    """One line: what would end a header, or hide in one, becomes a space."""
    return _CONTROL.sub(" ", text).strip()


@contextlib.contextmanager
def _told(where: str) -> Iterator[None]:
    """Turn the ways of SMTP to fail into ours."""
    try:
        yield
    except smtplib.SMTPRecipientsRefused as error:
        code, said = next(iter(error.recipients.values()))
        raise _answered(where, code, said) from error
    except smtplib.SMTPAuthenticationError as error:
        # A wrong password is corrected in the settings, and then every message goes out.
        raise _away(f"{where} refused our user name and password ({error.smtp_code})") from error
    except smtplib.SMTPResponseException as error:
        raise _answered(where, error.smtp_code, error.smtp_error) from error
    except smtplib.SMTPException as error:
        raise _away(f"{where}: {_said(str(error))}") from error
    except ssl.SSLCertVerificationError as error:
        raise _away(
            f"the certificate of {where} is not to be trusted: {error.verify_message}"
        ) from error
    except (OSError, UnicodeError, ValueError) as error:
        raise _away(f"{where}: {_said(_reason(error))}") from error


def _reason(error: Exception) -> str:
    if isinstance(error, socket.gaierror | TimeoutError):
        return "no such host" if isinstance(error, socket.gaierror) else "no answer in time"
    return getattr(error, "strerror", None) or str(error) or type(error).__name__


def _answered(where: str, code: int, said: bytes | str) -> BadRequest | Unavailable:
    """RFC 5321 §4.2.1: 4yz may go well later, 5yz will not."""
    text = said.decode(errors="replace") if isinstance(said, bytes) else said
    message = f"{where} answered {code} {_said(text)}"
    if 500 <= code < 600:
        return BadRequest(message, field="recipient", rule="mail.refused")
    return _away(message)


def _away(message: str) -> Unavailable:
    return Unavailable(message, field="mail", rule="mail.unavailable")


def _said(text: str) -> str:
    return _plain(text)[:_MAX_SAID]
