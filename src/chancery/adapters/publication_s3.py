"""Files for relying parties in an object store that speaks S3: put whole, signed with SigV4.

The few requests that are needed, over the standard library: an SDK would cost
more memory than the rest of the jobs process.
"""

import hashlib
import hmac
import http.client
import ssl
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Final
from urllib.parse import quote, urlsplit

from chancery.domain.errors import BadRequest, Unavailable

_TYPES: Final = {".crl": "application/pkix-crl", ".cer": "application/pkix-cert"}
_SAID: Final = 300  # octets of a refusal that are worth repeating
_SAFE: Final = "/-_.~"


@dataclass(frozen=True, slots=True)
class Bucket:
    """Where to put them.  *endpoint* is ``https://host[:port]``; *prefix* ends in / or is ""."""

    endpoint: str
    bucket: str
    region: str
    access_key: str
    secret_key: str
    prefix: str = ""
    ca_file: Path | None = None
    timeout_s: float = 30.0


class S3Destination:
    """``ports_crl.Destination``.  One PUT is one object, whole or not there."""

    def __init__(
        self, name: str, bucket: Bucket, *, now: Callable[[], datetime] = lambda: datetime.now(UTC)
    ) -> None:
        self.name = name
        self._bucket = bucket
        self._now = now
        parts = urlsplit(bucket.endpoint)
        self._host, self._secure = parts.netloc, parts.scheme == "https"

    def takes(self, file: str) -> bool:
        return file.endswith(tuple(_TYPES))

    def put(self, file: str, data: bytes, *, max_age_s: int) -> None:
        path = "/" + quote(f"{self._bucket.bucket}/{self._bucket.prefix}{file}", safe=_SAFE)
        digest = hashlib.sha256(data).hexdigest()
        headers = {
            "content-type": _TYPES[file[-4:]],
            "cache-control": f"max-age={max_age_s}, public, no-transform",
            "x-amz-meta-sha256": digest,
        }
        self._do("PUT", path, data, self.signed("PUT", path, digest, headers), (200, 201, 204))

    def remove(self, file: str) -> None:
        path = "/" + quote(f"{self._bucket.bucket}/{self._bucket.prefix}{file}", safe=_SAFE)
        digest = hashlib.sha256(b"").hexdigest()
        self._do("DELETE", path, b"", self.signed("DELETE", path, digest, {}), (200, 204, 404))

    def _do(
        self, method: str, path: str, data: bytes, headers: Mapping[str, str], good: Sequence[int]
    ) -> None:
        try:
            status, said = self._send(method, path, data, headers)
        except (OSError, http.client.HTTPException) as error:
            raise _away(self.name, str(error) or type(error).__name__) from error
        if status not in good:
            raise _away(self.name, f"it answered {status}: {said}")

    def _send(
        self, method: str, path: str, data: bytes, headers: Mapping[str, str]
    ) -> tuple[int, str]:
        connection = self._connection()
        try:
            connection.request(method, path, data, dict(headers))
            answer = connection.getresponse()
            said = answer.read(_SAID).decode("utf-8", "replace")
            return answer.status, " ".join(said.split())
        finally:
            connection.close()

    def _connection(self) -> http.client.HTTPConnection:
        if not self._secure:
            return http.client.HTTPConnection(self._host, timeout=self._bucket.timeout_s)
        trusted = self._bucket.ca_file
        try:
            context = ssl.create_default_context(cafile=str(trusted) if trusted else None)
        except (OSError, ssl.SSLError) as error:
            raise BadRequest(f"cannot read {trusted}: {error}", field="ca_file") from error
        return http.client.HTTPSConnection(
            self._host, timeout=self._bucket.timeout_s, context=context
        )

    def signed(
        self, method: str, path: str, digest: str, headers: Mapping[str, str]
    ) -> dict[str, str]:
        """*headers* with AWS Signature Version 4, over all of them and the content."""
        bucket, moment = self._bucket, self._now().strftime("%Y%m%dT%H%M%SZ")
        whole = {
            **headers,
            "host": self._host,
            "x-amz-content-sha256": digest,
            "x-amz-date": moment,
        }
        names = ";".join(sorted(whole))
        lines = "".join(f"{name}:{whole[name]}\n" for name in sorted(whole))
        canonical = f"{method}\n{path}\n\n{lines}\n{names}\n{digest}"
        scope = f"{moment[:8]}/{bucket.region}/s3/aws4_request"
        hashed = hashlib.sha256(canonical.encode()).hexdigest()
        to_sign = f"AWS4-HMAC-SHA256\n{moment}\n{scope}\n{hashed}"
        key = f"AWS4{bucket.secret_key}".encode()
        for part in scope.split("/"):
            key = hmac.digest(key, part.encode(), "sha256")
        signature = hmac.digest(key, to_sign.encode(), "sha256").hex()
        whole["authorization"] = (
            f"AWS4-HMAC-SHA256 Credential={bucket.access_key}/{scope},"
            f" SignedHeaders={names}, Signature={signature}"
        )
        return whole


def _away(name: str, why: str) -> Unavailable:
    return Unavailable(
        f"{name} does not take files now: {why}",
        field=name,
        rule="publication.unavailable",
        remedy="it is tried again by itself; look at its address, key and room",
    )
