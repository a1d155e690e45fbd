"""Does OpenSSL understand the CMS that we write, and we what it writes?"""

import os
import subprocess
from pathlib import Path

import pytest
import scep_client as c

from chancery.domain.keys import KeyTransport
from chancery.wire import cms, cms_writing
from chancery.wire import cms_algorithms as alg

pytestmark = pytest.mark.interop

RA = c.VECTORS / "ra.crt.der"
KEY = c.VECTORS / "ra.key.der"
PLAIN = b"what only the recipient may read"


def openssl(*arguments: object, given: bytes = b"") -> bytes:
    done = subprocess.run(
        ["openssl", *map(str, arguments)],
        input=given,
        capture_output=True,
        timeout=20,
        check=False,
    )
    assert done.returncode == 0, done.stderr.decode()
    return done.stdout


@pytest.fixture(scope="module")
def pem(tmp_path_factory: pytest.TempPathFactory) -> Path:
    file = tmp_path_factory.mktemp("cms") / "ra.pem"
    file.write_bytes(openssl("x509", "-inform", "DER", "-in", RA))
    return file


@pytest.mark.parametrize("cipher", [alg.ContentCipher.AES_128, alg.ContentCipher.AES_256])
@pytest.mark.parametrize(
    ("transport", "options"),
    [
        (KeyTransport.PKCS1, ()),
        (KeyTransport.OAEP_SHA1, ("rsa_padding_mode:oaep",)),
        (KeyTransport.OAEP_SHA256, ("rsa_padding_mode:oaep", "rsa_oaep_md:sha256")),
    ],
)
def test_envelopes_both_ways(
    pem: Path, cipher: alg.ContentCipher, transport: KeyTransport, options: tuple[str, ...]
) -> None:
    more = [word for option in options for word in ("-keyopt", option)]
    theirs = openssl(
        *("cms", "-encrypt", "-binary", "-outform", "DER", f"-{cipher}", "-recip", pem, *more),
        given=PLAIN,
    )
    assert cms.read_enveloped(theirs).recipients[0].transport is transport
    assert c.unwrap(theirs, c.key("ra"), RA.read_bytes()) == PLAIN

    ours = cms_writing.enveloped(
        PLAIN, cms.read_certificate(RA.read_bytes()), transport, cipher, os.urandom
    )
    opened = openssl(
        *("cms", "-decrypt", "-inform", "DER", "-recip", pem, "-inkey", KEY, "-keyform", "DER"),
        given=ours,
    )
    assert opened == PLAIN


def test_streamed_output_is_read_too(pem: Path) -> None:
    """-stream makes indefinite lengths and octet strings in pieces."""
    theirs = openssl(
        *("cms", "-encrypt", "-binary", "-stream", "-outform", "DER", "-aes128", "-recip", pem),
        given=PLAIN * 1000,
    )
    assert b"\x30\x80" in theirs[:8]
    assert c.unwrap(theirs, c.key("ra"), RA.read_bytes()) == PLAIN * 1000
    signed = openssl(
        *("cms", "-sign", "-binary", "-nodetach", "-stream", "-outform", "DER", "-signer", pem),
        *("-inkey", KEY, "-keyform", "DER"),
        given=PLAIN,
    )
    read = cms.read_signed(signed)
    read.verify(read.signer())
    assert read.content == PLAIN


@pytest.mark.parametrize("digest", [alg.Digest.SHA256, alg.Digest.SHA512])
def test_signatures_verify(pem: Path, digest: alg.Digest) -> None:
    ours = c.Client(c.key("ra"), RA.read_bytes(), RA.read_bytes(), digest=digest)
    signed = cms_writing.signed(
        PLAIN, [], cms.read_certificate(RA.read_bytes()), digest, ours.sign,
        certificates=[RA.read_bytes()],
    )  # fmt: skip
    verified = openssl(
        *("cms", "-verify", "-inform", "DER", "-noverify", "-certfile", pem), given=signed
    )
    assert verified == PLAIN
