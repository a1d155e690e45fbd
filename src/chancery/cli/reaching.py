"""How a connection fails, in the words of the command line."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from chancery.domain import errors

if TYPE_CHECKING:
    import httpx2


@contextmanager
def reaching(url: str, certificate: str | None) -> Iterator[None]:
    """Turn the ways a connection fails into the ways a CA command fails."""
    import httpx2  # noqa: PLC0415 - loaded by then

    try:
        yield
    except httpx2.TimeoutException as error:
        raise errors.Unavailable(
            f"{url} did not answer in time",
            field="--url",
            remedy="try again, or wait longer with --timeout",
        ) from error
    except (httpx2.ReadError, httpx2.RemoteProtocolError) as error:
        if certificate is not None:  # TLS 1.3 reads a refusal where an answer should be
            raise _certificate_refused(certificate, error) from error
        raise _unreachable(url, error) from error
    except httpx2.TransportError as error:
        raise _unreachable(url, error) from error
    except httpx2.InvalidURL as error:
        raise errors.BadRequest(f"{url!r}: {error}", field="--url") from error


def _unreachable(url: str, error: "httpx2.TransportError") -> errors.CAError:
    text = str(error)
    if "CERTIFICATE_VERIFY_FAILED" in text:
        reason = text.partition("verify failed:")[2].partition("(_ssl")[0].strip() or text
        return errors.Unavailable(
            f"the certificate of {url} is not to be trusted: {reason}",
            field="--ca-bundle",
            rule="tls.verify",
            remedy="name the bundle of the CA that issued it: --ca-bundle or CHANCERY_CA_BUNDLE",
        )
    return errors.Unavailable(
        f"cannot reach {url}: {text or type(error).__name__}",
        field="--url",
        remedy="is the server running, and is this its address?",
    )


def _certificate_refused(path: str, error: "httpx2.TransportError") -> errors.CAError:
    return errors.NotAuthenticated(
        f"the server closed the connection ({error or type(error).__name__}): most likely it does"
        f" not accept the client certificate in {path}",
        field="--client-certificate",
        rule="tls.client-certificate",
        remedy="the file needs the chain too (`request download --format chain`) and its key,"
        " and the server must trust its root",
    )
