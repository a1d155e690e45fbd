"""Which operation answers which request; mypy proves the table whole."""

from chancery.signer import door_messages as d
from chancery.signer import protocol as p
from chancery.signer import vault_messages as v
from chancery.signer.service import Signer


def perform(signer: Signer, request: p.ShortRequest) -> p.Answer:  # noqa: C901, PLR0911, PLR0912 - a table
    """Do what is asked.  Raises CAError."""
    match request:
        case p.SignCertificates():
            results = signer.sign_certificates(request.orders)
            return p.Batch([r if isinstance(r, bytes) else p.Failure.of(r) for r in results])
        case p.SignOcsp(key_id, algorithm, tbs):
            return p.Signed(signer.sign_ocsp(key_id, algorithm, tbs))
        case p.SignOcspAll(key_id, algorithm, tbss):
            return p.Batch(list(signer.sign_ocsp_all(key_id, algorithm, tbss)))
        case p.SignCrl(key_id, algorithm, tbs):
            return p.Signed(signer.sign_crl(key_id, algorithm, tbs))
        case p.SignCheckpoint(key_id, text):
            return p.Signed(signer.sign_checkpoint(key_id, text))
        case p.SignCsr(key_id, algorithm, info):
            return p.Signed(signer.sign_csr(key_id, algorithm, info))
        case p.SignCaCertificate(key_id, algorithm, tbs, authorisation):
            return p.Signed(signer.sign_ca_certificate(key_id, algorithm, tbs, authorisation))
        case p.LookUp(key_id, serials):
            return p.Found(list(signer.signatures(key_id, serials).values()))
        case p.Describe(key_id):
            return p.Described(signer.key(key_id))
        case p.Generate(key_id, algorithm, purpose, n, vault):
            return p.Described(
                signer.generate(key_id, algorithm, purpose, ca_approvals=n, vault=vault)
            )
        case p.ImportKey(key_id, pkcs8, purpose, n, vault):
            return p.Described(
                signer.import_key(key_id, pkcs8, purpose, ca_approvals=n, vault=vault)
            )
        case p.Bind(key_id, certificate, ekus, approvals):
            signer.bind(key_id, certificate, ekus, approvals=approvals)
            return p.Done()
        case p.ExportPkcs12(key_id, certificate, chain, passphrase):
            return p.Signed(signer.export_pkcs12(key_id, certificate, chain, passphrase))
        case p.Destroy(key_id):
            signer.destroy(key_id)
            return p.Done()
        case p.Alive():
            return p.Done()
        case d.SignMessage() | d.SignLegacyMessage() | d.Decrypt():
            return p.Signed(_of_doors(signer, request))
        case (
            v.AskVaults()
            | v.AskContents()
            | v.ProbeVault()
            | v.SelfTest()
            | v.UnlockVault()
            | v.AdoptKey()
        ):
            return _of_vaults(signer, request)
        case _:
            return signer.managed.perform(request)


def _of_doors(signer: Signer, request: d.DoorRequest) -> bytes:
    match request:
        case d.SignMessage(key_id, algorithm, data):
            return signer.sign_message(key_id, algorithm, data)
        case d.SignLegacyMessage(key_id, data):
            return signer.sign_legacy_message(key_id, data)
        case d.Decrypt(key_id, transport, ciphertext):
            return signer.decrypt(key_id, transport, ciphertext)


def _of_vaults(signer: Signer, request: v.VaultRequest) -> p.Answer:
    match request:
        case v.AskVaults():
            return v.Standings(signer.desk.standings())
        case v.AskContents(vault):
            return v.Contents(signer.desk.contents(vault))
        case v.ProbeVault(vault):
            return v.Probed(signer.desk.probe(vault))
        case v.SelfTest():
            return v.Probed(signer.desk.self_test())
        case v.UnlockVault(vault, pin):
            signer.desk.unlock(vault, bytearray(pin))
            return p.Done()
        case v.AdoptKey(key_id, vault, label, object_id, purpose, n):
            return p.Described(
                signer.adopt(key_id, vault, label, object_id, purpose, ca_approvals=n)
            )
