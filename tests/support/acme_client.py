"""An ACME client that does what a test wants, wrong things too; it shares no code with the server."""

import base64
import hashlib
import hmac
import ipaddress
import json
import re
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.hazmat.primitives.serialization import Encoding

from chancery.protocols.exchange import Exchange, Reply

BASE = "https://ca.example.org"
Key = ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey | ed25519.Ed25519PrivateKey


def b64(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def new_key() -> ec.EllipticCurvePrivateKey:
    return ec.generate_private_key(ec.SECP256R1())


def jwk_of(key: Key) -> dict[str, str]:
    if isinstance(key, ec.EllipticCurvePrivateKey):
        numbers = key.public_key().public_numbers()
        size = (key.key_size + 7) // 8
        return {
            "kty": "EC",
            "crv": {256: "P-256", 384: "P-384", 521: "P-521"}[key.key_size],
            "x": b64(numbers.x.to_bytes(size)),
            "y": b64(numbers.y.to_bytes(size)),
        }
    if isinstance(key, rsa.RSAPrivateKey):
        n, e = key.public_key().public_numbers().n, key.public_key().public_numbers().e
        return {
            "kty": "RSA",
            "n": b64(n.to_bytes((n.bit_length() + 7) // 8)),
            "e": b64(e.to_bytes((e.bit_length() + 7) // 8)),
        }
    return {"kty": "OKP", "crv": "Ed25519", "x": b64(key.public_key().public_bytes_raw())}


def thumbprint(key: Key) -> str:
    text = json.dumps(jwk_of(key), sort_keys=True, separators=(",", ":"))
    return b64(hashlib.sha256(text.encode()).digest())


def sign(key: Key, data: bytes) -> tuple[str, bytes]:
    """The algorithm's name and the signature."""
    if isinstance(key, ec.EllipticCurvePrivateKey):
        name, digest = {
            256: ("ES256", hashes.SHA256()),
            384: ("ES384", hashes.SHA384()),
            521: ("ES512", hashes.SHA512()),
        }[key.key_size]
        r, s = decode_dss_signature(key.sign(data, ec.ECDSA(digest)))
        size = (key.key_size + 7) // 8
        return name, r.to_bytes(size) + s.to_bytes(size)
    if isinstance(key, rsa.RSAPrivateKey):
        return "RS256", key.sign(data, padding.PKCS1v15(), hashes.SHA256())
    return "EdDSA", key.sign(data)


def algorithm_of(key: Key) -> str:
    return sign(key, b"")[0]


def jws(key: Key, header: dict[str, Any], payload: object) -> dict[str, str]:
    """A flattened JWS; *payload* None: empty; the header's alg is the key's unless it says one."""
    head = b64(json.dumps({"alg": algorithm_of(key)} | header).encode())
    body = "" if payload is None else b64(json.dumps(payload).encode())
    signature = sign(key, f"{head}.{body}".encode())[1]
    return {"protected": head, "payload": body, "signature": b64(signature)}


def mac(secret: str, header: dict[str, Any], payload: object) -> dict[str, str]:
    """The same with a MAC."""
    raw = base64.urlsafe_b64decode(secret + "=" * (-len(secret) % 4))
    head, body = b64(json.dumps(header).encode()), b64(json.dumps(payload).encode())
    digest = {"HS256": "sha256", "HS384": "sha384", "HS512": "sha512"}[header["alg"]]
    signature = hmac.digest(raw, f"{head}.{body}".encode(), digest)
    return {"protected": head, "payload": body, "signature": b64(signature)}


def csr(key: Key, *names: str, common_name: str | None = None) -> str:
    """A request for host names and addresses, in base64url."""
    found: list[x509.GeneralName] = []
    for name in names:
        try:
            found.append(x509.IPAddress(ipaddress.ip_address(name)))
        except ValueError:
            found.append(x509.DNSName(name))
    subject = [] if common_name is None else [x509.NameAttribute(x509.OID_COMMON_NAME, common_name)]
    builder = x509.CertificateSigningRequestBuilder().subject_name(x509.Name(subject))
    builder = builder.add_extension(x509.SubjectAlternativeName(found), critical=False)
    return b64(builder.sign(key, hashes.SHA256()).public_bytes(Encoding.DER))


@dataclass
class Answer:
    status: int
    headers: dict[str, str]
    links: list[str]
    body: bytes

    @property
    def json(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self.body)
        return found

    @property
    def problem(self) -> str:
        """The last part of the problem's type."""
        assert self.headers["content-type"] == "application/problem+json", self
        assert self.json["status"] == self.status
        return str(self.json["type"]).removeprefix("urn:ietf:params:acme:error:")


@dataclass
class AcmeClient:
    """Speaks to one door by its handler."""

    handle: Callable[[Exchange], Reply]
    label: str
    key: Key = field(default_factory=new_key)
    kid: str = ""
    nonce: str = ""
    origin: str = "192.0.2.9"

    def url(self, *path: str) -> str:
        return "/".join((BASE, "acme", self.label, *path))

    def fetch(
        self,
        method: str,
        url: str,
        body: bytes = b"",
        content_type: str = "application/jose+json",
    ) -> Answer:
        path, _, query = url.removeprefix(BASE).partition("?")
        exchange = Exchange(
            method=method,
            path=path,
            tail=path.removeprefix("/acme/"),
            query=query,
            headers={"content-type": content_type, "host": "ca.example.org"},
            body=body,
            origin=self.origin,
            secure=True,
            certificate=None,
            tls_unique=None,
            base=BASE,
        )
        reply = self.handle(exchange)
        headers = {name.lower(): value for name, value in reply.headers}
        links = [value for name, value in reply.headers if name == "Link"]
        self.nonce = headers.get("replay-nonce", "")
        return Answer(reply.status, headers, links, reply.body)

    def fresh(self) -> str:
        if not self.nonce:
            self.fetch("HEAD", self.url("new-nonce"))
        found, self.nonce = self.nonce, ""
        return found

    def signed(self, address: str, payload: object, **header: Any) -> bytes:
        """The body of a request; *header* replaces members, None takes one out."""
        own = {"kid": self.kid} if self.kid else {"jwk": jwk_of(self.key)}
        head = {"nonce": header.pop("nonce", None) or self.fresh(), "url": address} | own | header
        whole = {name: value for name, value in head.items() if value is not None}
        return json.dumps(jws(self.key, whole, payload)).encode()

    def post(self, address: str, payload: object = None, **header: Any) -> Answer:
        return self.fetch("POST", address, self.signed(address, payload, **header))

    def alike(self, **changes: Any) -> "AcmeClient":
        """Another client of the same door; its nonces are its own."""
        return replace(self, **{"nonce": "", **changes})

    def register(self, kid: str = "", secret: str = "", **more: Any) -> Answer:
        """Open an account, with an external account key if one is given."""
        url, payload = self.url("new-account"), {"termsOfServiceAgreed": True} | more
        if kid:
            header = {"alg": "HS256", "kid": kid, "url": url}
            payload["externalAccountBinding"] = mac(secret, header, jwk_of(self.key))
        answer = self.post(url, payload)
        if answer.status in (200, 201):
            self.kid = answer.headers["location"]
        return answer

    def order(self, *names: str, **more: Any) -> Answer:
        identifiers = [
            {"type": "ip" if re.fullmatch(r"[0-9.]+|.*:.*", name) else "dns", "value": name}
            for name in names
        ]
        return self.post(self.url("new-order"), {"identifiers": identifiers} | more)

    def finalize(self, order: Answer, request: str) -> Answer:
        return self.post(order.json["finalize"], {"csr": request})
