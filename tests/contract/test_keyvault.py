"""What every KeyVault promises: the signer in this process, and behind its socket."""

import base64
import secrets
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
import signing as s
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_der_public_key,
    pkcs12,
)
from cryptography.x509 import ocsp

from chancery.domain.algorithms import SIGNATURES_OF, KeyAlgorithm, SignatureAlgorithm
from chancery.domain.errors import AlreadyExists, BadKey, NotFound, SignerRefused
from chancery.domain.keys import KeyPurpose, KeyTransport
from chancery.ports import KeyVault
from chancery.signer.journal import Journal
from chancery.signer.protocol import MAX_FRAME
from chancery.signer.service import Signer
from chancery.signer.unseal.key_file import KeyFile
from chancery.signer.vault import open_vault
from chancery.wire import crl as wire_crl
from chancery.wire import der
from chancery.wire.algorithms import verify

ECDSA = SignatureAlgorithm.ECDSA_SHA256
BIG = {KeyAlgorithm.RSA_3072, KeyAlgorithm.RSA_4096}
# One hash is enough for the large RSA keys: they are slow to make.
WAYS = [
    (key, way)
    for key, ways in SIGNATURES_OF.items()
    for way in ways
    if key not in BIG or way.value.endswith("sha256")
]


@pytest.fixture(scope="module", params=["in-process", "socket"])
def keys(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[KeyVault]:
    signer = s.SignerProcess.create(tmp_path_factory.mktemp("signer"))
    if request.param == "socket":
        signer.start()
        client = signer.client()
        yield client
        client.close()
        assert signer.stop() == 0
        return
    vault = open_vault(signer.home / "vault", KeyFile(signer.home / "unseal.key"))
    journal = Journal(signer.home / "journal")
    yield Signer(vault, journal)
    journal.close()


@pytest.fixture
def key_id() -> str:
    return secrets.token_hex(6)


@pytest.mark.parametrize(("algorithm", "signature"), WAYS)
def test_every_algorithm_signs_what_verifies(
    keys: KeyVault, key_id: str, algorithm: KeyAlgorithm, signature: SignatureAlgorithm
) -> None:
    info, root = s.make_root(keys, key_id, key_id, algorithm=algorithm, signature=signature)
    tbs = s.with_algorithm(s.leaf(s.name(key_id)), signature)

    (made,) = keys.sign_certificates([s.order(key_id, tbs, algorithm=signature)])

    assert isinstance(made, bytes)
    verify(info.spki, signature, made, tbs)
    signed = x509.load_der_x509_certificate(s.certificate(tbs, signature, made))
    issuer = x509.load_der_x509_certificate(root)
    assert signed.issuer == issuer.subject


def test_describes_a_key_and_keeps_its_name(keys: KeyVault, key_id: str) -> None:
    info = keys.generate(key_id, KeyAlgorithm.EC_P384, KeyPurpose.OCSP)
    assert (info.key_id, info.algorithm, info.purpose) == (
        key_id,
        KeyAlgorithm.EC_P384,
        KeyPurpose.OCSP,
    )
    assert keys.key(key_id) == info
    with pytest.raises(AlreadyExists):
        keys.generate(key_id, KeyAlgorithm.EC_P256, KeyPurpose.AUTHORITY)
    with pytest.raises(NotFound, match="nobody"):
        keys.key("nobody")


def test_takes_in_a_key(keys: KeyVault, key_id: str) -> None:
    key = ec.generate_private_key(ec.SECP256R1())
    pkcs8 = key.private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption())
    info = keys.import_key(key_id, pkcs8, KeyPurpose.AUTHORITY)
    assert info.spki == s.spki_of(key.public_key())
    with pytest.raises(AlreadyExists):
        keys.import_key(key_id, pkcs8, KeyPurpose.AUTHORITY)
    with pytest.raises(BadKey):
        keys.import_key(key_id + "x", pkcs8[:-1], KeyPurpose.AUTHORITY)


def test_binds_only_a_ca_certificate_of_this_key(keys: KeyVault, key_id: str) -> None:
    _, root = s.make_root(keys, key_id, key_id)
    keys.generate(key_id + "x", KeyAlgorithm.EC_P256, KeyPurpose.AUTHORITY)
    with pytest.raises(SignerRefused, match="another key"):
        keys.bind(key_id + "x", root)
    tbs = s.leaf(s.name(key_id), key=load_der_public_key(keys.key(key_id + "x").spki))
    (made,) = keys.sign_certificates([s.order(key_id, tbs)])
    assert isinstance(made, bytes)
    with pytest.raises(SignerRefused, match="not a CA"):
        keys.bind(key_id + "x", s.certificate(tbs, ECDSA, made))
    for junk in (b"", root[:-1], root + b"\0"):
        with pytest.raises(SignerRefused):
            keys.bind(key_id, junk)


def test_a_batch_answers_in_order_and_one_bad_order_stops_no_other(
    keys: KeyVault, key_id: str
) -> None:
    s.make_root(keys, key_id, key_id)
    good = [s.order(key_id, s.leaf(s.name(key_id))) for _ in range(6)]
    bad = s.order(key_id, s.leaf(s.name("Other")))
    unknown = s.order("nobody", s.leaf(s.name("Other")))
    junk = s.order(key_id, b"junk" * 20)
    orders = [bad, *good[:3], unknown, junk, *good[3:]]

    answers = keys.sign_certificates(orders)

    kinds = [type(answer) for answer in answers]
    assert kinds == [SignerRefused, *[bytes] * 3, NotFound, SignerRefused, *[bytes] * 3]
    spki = keys.key(key_id).spki
    for order, answer in zip(orders, answers, strict=True):
        if isinstance(answer, bytes):
            verify(spki, ECDSA, answer, order.tbs)
    assert keys.sign_certificates([]) == []


def test_the_journal_answers_was_it_ever_signed(keys: KeyVault, key_id: str) -> None:
    s.make_root(keys, key_id, key_id)
    orders = [s.order(key_id, s.leaf(s.name(key_id))) for _ in range(3)]
    answers = keys.sign_certificates(orders)
    found = keys.signatures(key_id, [*(order.serial for order in orders), "abc"])
    assert {serial: record.signature for serial, record in found.items()} == {
        order.serial: answer for order, answer in zip(orders, answers, strict=True)
    }
    assert all(found[o.serial].tbs_sha256 == o.tbs_sha256 for o in orders)
    assert keys.signatures("nobody", [orders[0].serial]) == {}


def test_a_subordinate_issues_below_its_root(keys: KeyVault, key_id: str) -> None:
    s.make_root(keys, key_id, key_id, path_length=1)
    below = key_id + "-sub"
    info = keys.generate(below, KeyAlgorithm.EC_P256, KeyPurpose.AUTHORITY)
    tbs = s.ca_tbs(below, key_id, info.spki, path_length=0, lasting=timedelta(days=365))
    made = keys.sign_ca_certificate(key_id, ECDSA, tbs, s.authorise(tbs))
    keys.bind(below, s.certificate(tbs, ECDSA, made))
    (signature,) = keys.sign_certificates([s.order(below, s.leaf(s.name(below)))])
    assert isinstance(signature, bytes)


def test_a_request_carries_the_keys_own_public_key(keys: KeyVault, key_id: str) -> None:
    info = keys.generate(key_id, KeyAlgorithm.EC_P256, KeyPurpose.AUTHORITY)

    def request(spki: bytes) -> bytes:
        subject = s.name(key_id).public_bytes()
        return der.sequence(der.integer(0), subject, spki, der.explicit(0, b""))

    made = keys.sign_csr(key_id, ECDSA, request(info.spki))
    whole = s.certificate(request(info.spki), ECDSA, made)
    assert x509.load_der_x509_csr(whole).is_signature_valid
    with pytest.raises(SignerRefused) as caught:
        keys.sign_csr(key_id, ECDSA, request(s.spki_of(s.LEAF)))
    assert caught.value.rule == "signer.key"


def crl(issuer: str) -> bytes:
    revoked = x509.RevokedCertificateBuilder().serial_number(5).revocation_date(s.now()).build()
    return (
        x509.CertificateRevocationListBuilder()
        .issuer_name(s.name(issuer))
        .last_update(s.now())
        .next_update(s.now() + timedelta(days=7))
        .add_extension(x509.CRLNumber(3), critical=False)
        .add_revoked_certificate(revoked)
        .sign(s.THROWAWAY, hashes.SHA256())
        .tbs_certlist_bytes
    )


def test_crls_of_its_own_only(keys: KeyVault, key_id: str) -> None:
    _, root = s.make_root(keys, key_id, key_id)
    made = keys.sign_crl(key_id, ECDSA, crl(key_id))
    whole = x509.load_der_x509_crl(s.certificate(crl(key_id), ECDSA, made))
    assert whole.is_signature_valid(x509.load_der_x509_certificate(root).public_key())  # type: ignore[arg-type]
    with pytest.raises(SignerRefused) as caught:
        keys.sign_crl(key_id, ECDSA, crl("Other"))
    assert caught.value.rule == "signer.issuer"


def test_a_crl_longer_than_any_frame(keys: KeyVault, key_id: str) -> None:
    """Two million entries.  What the head says is judged as in a short one."""
    _, root = s.make_root(keys, key_id, key_id)
    entry = der.sequence(der.integer(1 << 126), b"\x17\x0d270101000000Z")

    def long_crl(issuer: str) -> bytes:
        return wire_crl.tbs(
            issuer=s.name(issuer).public_bytes(),
            key_identifier=b"k" * 20,
            algorithm=ECDSA,
            number=7,
            this_update=int(s.now().timestamp()),
            next_update=int(s.now().timestamp()) + 86_400,
            entries=[entry * 2_000_000],
        )

    tbs = long_crl(key_id)
    assert len(tbs) > MAX_FRAME
    made = keys.sign_crl(key_id, ECDSA, tbs)
    public = x509.load_der_x509_certificate(root).public_key()
    assert isinstance(public, ec.EllipticCurvePublicKey)
    public.verify(made, tbs, ec.ECDSA(hashes.SHA256()))
    with pytest.raises(SignerRefused) as caught:
        keys.sign_crl(key_id, ECDSA, long_crl("Other"))
    assert caught.value.rule == "signer.issuer"
    assert keys.sign_crl(key_id, ECDSA, crl(key_id))  # and the connection serves on


def response_data() -> bytes:
    tbs = s.leaf(s.name("X"), key=s.THROWAWAY.public_key())
    signature = s.THROWAWAY.sign(tbs, ec.ECDSA(hashes.SHA256()))
    one = x509.load_der_x509_certificate(s.certificate(tbs, ECDSA, signature))
    start, end = s.now(), s.now() + timedelta(hours=1)
    good = ocsp.OCSPCertStatus.GOOD
    return (
        ocsp.OCSPResponseBuilder()
        .add_response(one, one, hashes.SHA256(), good, start, end, None, None)
        .responder_id(ocsp.OCSPResponderEncoding.HASH, one)
        .add_extension(x509.OCSPNonce(b"0" * 16), critical=False)
        .sign(s.THROWAWAY, hashes.SHA256())
        .tbs_response_bytes
    )


@pytest.mark.parametrize("purpose", [KeyPurpose.OCSP, KeyPurpose.AUTHORITY])
def test_ocsp_responses(keys: KeyVault, key_id: str, purpose: KeyPurpose) -> None:
    info = keys.generate(key_id, KeyAlgorithm.EC_P256, purpose)
    data = response_data()
    verify(info.spki, ECDSA, keys.sign_ocsp(key_id, ECDSA, data), data)
    for junk in (b"", data[:-1], data + b"\0"):
        with pytest.raises(SignerRefused):
            keys.sign_ocsp(key_id, ECDSA, junk)


def test_a_subject_key_signs_no_ocsp(keys: KeyVault, key_id: str) -> None:
    keys.generate(key_id, KeyAlgorithm.EC_P256, KeyPurpose.SUBJECT)
    with pytest.raises(SignerRefused):
        keys.sign_ocsp(key_id, ECDSA, response_data())


def test_checkpoints(keys: KeyVault, key_id: str) -> None:
    info = keys.generate(key_id, KeyAlgorithm.ED25519, KeyPurpose.AUDIT)
    root = base64.b64encode(secrets.token_bytes(32)).decode()
    text = f"ca.example/audit\n7\n{root}\n".encode()
    public = load_der_public_key(info.spki)
    assert isinstance(public, ed25519.Ed25519PublicKey)
    public.verify(keys.sign_checkpoint(key_id, text), text)
    with pytest.raises(SignerRefused):
        keys.sign_checkpoint(key_id, text.replace(b"\n7\n", b"\n6\n"))
    with pytest.raises(SignerRefused, match="Ed25519"):
        keys.generate(key_id + "x", KeyAlgorithm.EC_P256, KeyPurpose.AUDIT)


@pytest.mark.parametrize(
    "algorithm", [KeyAlgorithm.EC_P256, KeyAlgorithm.RSA_2048, KeyAlgorithm.ED25519]
)
def test_a_subject_key_leaves_encrypted_and_dies(
    keys: KeyVault, key_id: str, algorithm: KeyAlgorithm
) -> None:
    _, root = s.make_root(keys, key_id + "-ca", key_id)
    info = keys.generate(key_id, algorithm, KeyPurpose.SUBJECT)
    tbs = s.leaf(s.name(key_id), key=load_der_public_key(info.spki))
    (made,) = keys.sign_certificates([s.order(key_id + "-ca", tbs)])
    assert isinstance(made, bytes)
    leaf = s.certificate(tbs, ECDSA, made)

    packed = keys.export_pkcs12(key_id, leaf, [root], "correct horse")

    key, certificate, chain = pkcs12.load_key_and_certificates(packed, b"correct horse")
    assert certificate is not None
    assert key is not None
    assert certificate.public_bytes(Encoding.DER) == leaf
    assert [one.public_bytes(Encoding.DER) for one in chain] == [root]
    assert key.public_key() == certificate.public_key()
    aes256_cbc = der.oid("2.16.840.1.101.3.4.1.42")
    assert aes256_cbc in packed
    with pytest.raises(SignerRefused, match="another key"):
        keys.export_pkcs12(key_id, root, [], "correct horse")
    with pytest.raises(SignerRefused):
        keys.export_pkcs12(key_id, leaf, [root], "short")
    keys.destroy(key_id)
    for forgotten in (lambda: keys.key(key_id), lambda: keys.destroy(key_id)):
        with pytest.raises(NotFound):
            forgotten()


@pytest.mark.parametrize("purpose", [KeyPurpose.AUTHORITY, KeyPurpose.OCSP])
def test_no_other_key_leaves_or_dies(keys: KeyVault, key_id: str, purpose: KeyPurpose) -> None:
    _, root = s.make_root(keys, key_id + "-ca", key_id)
    keys.generate(key_id, KeyAlgorithm.EC_P256, purpose)
    for one in (key_id, key_id + "-ca"):
        with pytest.raises(SignerRefused, match="only a key made for a requester"):
            keys.export_pkcs12(one, root, [], "correct horse")
        with pytest.raises(SignerRefused, match="only a key made for a requester"):
            keys.destroy(one)
        assert keys.key(one)


def test_signs_from_many_threads_at_once(keys: KeyVault, key_id: str) -> None:
    info, _ = s.make_root(keys, key_id, key_id)

    def work(_: int) -> None:
        order = s.order(key_id, s.leaf(s.name(key_id)))
        (made,) = keys.sign_certificates([order])
        assert isinstance(made, bytes)
        verify(info.spki, ECDSA, made, order.tbs)
        assert keys.signatures(key_id, [order.serial])[order.serial].signature == made

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(work, range(80)))


def test_one_serial_is_signed_once_however_many_ask(keys: KeyVault, key_id: str) -> None:
    s.make_root(keys, key_id, key_id)
    orders = [
        s.order(key_id, s.leaf(s.name(key_id), serial=99, start=timedelta(minutes=-n)))
        for n in range(24)
    ]
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda order: keys.sign_certificates([order])[0], orders))
    assert sum(isinstance(answer, bytes) for answer in answers) == 1


MESSAGE = der.set_of(der.sequence(der.oid("1.2.840.113549.1.9.3")))
"""What the signed attributes of CMS look like."""


@pytest.fixture(scope="module")
def door(keys: KeyVault) -> rsa.RSAPublicKey:
    info = keys.generate("door", KeyAlgorithm.RSA_2048, KeyPurpose.DOOR)
    key = load_der_public_key(info.spki)
    assert isinstance(key, rsa.RSAPublicKey)
    return key


def test_a_doors_key_signs_messages_and_opens_what_is_sent_to_it(
    keys: KeyVault, door: rsa.RSAPublicKey
) -> None:
    pkcs1 = padding.PKCS1v15()
    signed = keys.sign_message("door", SignatureAlgorithm.RSA_PKCS1_SHA256, MESSAGE)
    door.verify(signed, MESSAGE, pkcs1, hashes.SHA256())
    protected = der.sequence(der.sequence(der.integer(2)), der.explicit(24, b""))
    signed = keys.sign_message("door", SignatureAlgorithm.RSA_PKCS1_SHA512, protected)
    door.verify(signed, protected, pkcs1, hashes.SHA512())
    door.verify(keys.sign_legacy_message("door", MESSAGE), MESSAGE, pkcs1, hashes.SHA1())

    secret = secrets.token_bytes(16)
    assert keys.decrypt("door", KeyTransport.PKCS1, door.encrypt(secret, pkcs1)) == secret
    for transport, digest in (
        (KeyTransport.OAEP_SHA1, hashes.SHA1()),
        (KeyTransport.OAEP_SHA256, hashes.SHA256()),
    ):
        oaep = padding.OAEP(padding.MGF1(digest), digest, None)
        assert keys.decrypt("door", transport, door.encrypt(secret, oaep)) == secret


@pytest.mark.parametrize("transport", [KeyTransport.PKCS1, KeyTransport.OAEP_SHA256])
@pytest.mark.parametrize("junk", [b"", b"\x01" * 17, bytes(256), b"\xff" * 256, b"\x00\x02" * 128])
def test_what_a_doors_key_cannot_open_looks_like_a_key_all_the_same(
    keys: KeyVault, door: rsa.RSAPublicKey, transport: KeyTransport, junk: bytes
) -> None:
    assert isinstance(keys.decrypt("door", transport, junk), bytes)


def test_a_doors_key_signs_nothing_that_is_more_than_an_answer(
    keys: KeyVault, door: rsa.RSAPublicKey, key_id: str
) -> None:
    info, _ = s.make_root(keys, key_id, key_id)
    tbs = s.leaf(s.name("door"))
    csr = der.sequence(der.integer(0), der.sequence(), info.spki)
    for data in (tbs, csr, b"", b"text", MESSAGE + b"\0", der.set_of(bytes(1 << 20))):
        with pytest.raises(SignerRefused):
            keys.sign_message("door", SignatureAlgorithm.RSA_PKCS1_SHA256, data)
    (refused,) = keys.sign_certificates([s.order("door", tbs)])
    assert isinstance(refused, SignerRefused)
    for refuse in (
        lambda: keys.sign_message(key_id, ECDSA, MESSAGE),
        lambda: keys.sign_legacy_message(key_id, MESSAGE),
        lambda: keys.decrypt(key_id, KeyTransport.PKCS1, bytes(256)),
    ):
        with pytest.raises(SignerRefused):
            refuse()
