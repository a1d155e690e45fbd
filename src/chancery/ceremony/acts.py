"""What the steps of a script do, and how each output is verified before it is let out."""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Final

from chancery.ceremony import script as s
from chancery.ceremony.office import OfflineCa, check_place, days_of
from chancery.ceremony.store import Store
from chancery.ceremony.verifying import as_pem, told, verify, verify_crl, wrong
from chancery.domain.authority import CrlIdp
from chancery.domain.certificate import RevocationReason
from chancery.domain.custody import CustodyPurpose
from chancery.domain.errors import AlreadyExists, BadName, BadRequest, Conflict
from chancery.domain.keys import KeyPurpose
from chancery.services.authority import Extensions, templates
from chancery.services.authority.limits import check_extensions
from chancery.services.authority.specification import signature_for
from chancery.signer.unseal.custodians import Founding
from chancery.wire import ca_certificate, pem, pkcs10, signing_bundle
from chancery.wire import crl as crl_format
from chancery.wire.names import parse_text
from chancery.wire.note import VerifierKey
from chancery.wire.pkcs7 import certificates
from chancery.wire.signing_bundle import Signed, Wish

_CHAIN: Final = "chain.pem"


@dataclass(slots=True)
class Done:
    """What became of a step: facts for the transcript, files to write, what was verified."""

    facts: dict[str, Any] = field(default_factory=dict)
    files: dict[str, bytes] = field(default_factory=dict)
    verified: list[str] = field(default_factory=list)


class Acts:
    """Does the steps of one plan in an open store.  *operators* are the witnesses."""

    def __init__(self, store: Store, plan: s.Plan, operators: tuple[str, ...]) -> None:
        self._store = store
        self._plan = plan
        self._operators = operators
        self.change: Founding | None = None
        """New custodians: they hold the store once everything else is done."""

    def do(self, step: s.Step) -> Done:
        ways: dict[type, Callable[[Any], Done]] = {
            s.Root: self._root,
            s.Key: self._key,
            s.Intermediate: self._intermediate,
            s.Cross: self._cross,
            s.Crl: self._crl,
            s.Change: self._change,
            s.Bundle: self._bundle,
        }
        return ways[type(step)](step)

    def _root(self, step: s.Root) -> Done:
        subject = parse_text(step.subject)
        if not subject.rdns:
            raise BadName("a root needs a subject", field="subject", rule="name.empty")
        extensions = Extensions(days=days_of(step.years), path_length=step.path_length)
        check_extensions(extensions)
        self._new_ca(step)
        der = self._store.office(step.name, self._operators).begin(
            step.algorithm, subject, extensions, vault=self._store.vault
        )
        made = ca_certificate.decode(der)
        done = Done(told(made), {f"{step.name}.pem": as_pem(der)})
        done.verified = verify(made, made, subject.text, step.path_length)
        return done

    def _key(self, step: s.Key) -> Done:
        subject = parse_text(step.subject)
        if not subject.rdns:
            raise BadName("a CA needs a subject", field="subject", rule="name.empty")
        algorithm = self._new_ca(step).signature_algorithm
        assert self._store.client is not None
        vault = self._store.client
        info = vault.generate(
            step.name,
            step.algorithm,
            KeyPurpose.AUTHORITY,
            ca_approvals=len(set(self._operators)),
            vault=self._store.vault,
        )
        wanted = templates.request_info(subject, info.spki, step.path_length)
        csr = templates.join_request(
            wanted, algorithm, vault.sign_csr(step.name, algorithm, wanted)
        )
        pkcs10.check_signature(pkcs10.decode(csr))
        (self._store.directory(step.name) / "request.csr").write_bytes(csr)
        text = pem.encode("CERTIFICATE REQUEST", csr).encode()
        key = hashlib.sha256(info.spki).hexdigest()
        return Done(
            {"subject": subject.text, "key_sha256": key},
            {f"{step.name}.csr": text},
            ["the CSR's signature verifies"],
        )

    def _new_ca(self, step: s.Root | s.Key) -> OfflineCa:
        if step.crl_idp is not CrlIdp.NONE:
            check_place(step.http)
        directory = self._store.directory(step.name)
        if directory.exists():
            raise AlreadyExists(
                f"the store holds a CA {step.name} already", field="name", rule="ceremony.ca"
            )
        algorithm = signature_for(step.algorithm, step.signature)
        ca = OfflineCa(step.subject, algorithm, step.name, step.http, step.crl_idp)
        directory.mkdir(mode=0o700)
        ca.write(directory)
        return ca

    def _intermediate(self, step: s.Intermediate) -> Done:
        directory = self._store.directory(step.key)
        if step.key:
            if not (directory / "request.csr").exists():
                raise Conflict(
                    f"no key {step.key} waits to be certified",
                    field="key",
                    rule="ceremony.key",
                    remedy="make it by a step before: do = 'key'",
                )
            csr = (directory / "request.csr").read_bytes()
        else:
            csr = self._plan.inputs[step.csr]
        chain, done = self._certified(step.issuer, csr, step.path_length, step.years)
        if step.key:
            office = self._store.office(step.key, self._operators)
            assert self._store.client is not None
            self._store.client.bind(step.key, chain[0])
            office.keep_certificate(chain[0])
            (directory / _CHAIN).write_bytes(b"".join(map(as_pem, chain[1:])))
            (directory / "request.csr").unlink()
        done.files[step.out] = b"".join(map(as_pem, chain))
        return done

    def _certified(
        self, issuer: str, csr: bytes, path_length: int | None, years: int
    ) -> tuple[list[bytes], Done]:
        """The new certificate with those above it, and what is known of it."""
        office = self._store.office(issuer, self._operators)
        above = office.certificate()
        der = office.sign_subordinate(csr, path_length=path_length, years=years)
        made = ca_certificate.decode(der)
        asked = pkcs10.decode(csr)
        if made.spki != asked.spki:
            raise wrong("it certifies another key than the CSR's")
        verified = verify(made, above, asked.subject.text, path_length or 0)
        return [der, *self._chain(issuer)], Done(
            told(made), {}, [*verified, "the key is the CSR's"]
        )

    def _chain(self, issuer: str) -> list[bytes]:
        """The issuer's certificate and those above it."""
        directory = self._store.directory(issuer)
        found = [(directory / "root.cer").read_bytes()]
        if (directory / _CHAIN).exists():
            text = (directory / _CHAIN).read_bytes()
            found += certificates(text)
        return found

    def _cross(self, step: s.Cross) -> Done:
        office = self._store.office(step.issuer, self._operators)
        (other,) = certificates(self._plan.inputs[step.certificate])[:1]
        der = office.cross_certify(other, path_length=step.path_length, years=step.years)
        made, root = ca_certificate.decode(der), ca_certificate.decode(other)
        if (made.spki, made.key_identifier) != (root.spki, root.key_identifier):
            raise wrong("it certifies another key than the root's")
        verified = verify(made, office.certificate(), root.subject.text, step.path_length or 0)
        text = b"".join(map(as_pem, [der, *self._chain(step.issuer)]))
        return Done(told(made), {step.out: text}, [*verified, "the key is that root's"])

    def _crl(self, step: s.Crl) -> Done:
        revoke = tuple((one.serial, one.reason) for one in step.revoke)
        der, done = self._signed_crl(step.issuer, revoke, step.days, step.crl_idp)
        done.files[step.out] = der
        return done

    def _signed_crl(
        self,
        issuer: str,
        revoke: tuple[tuple[str, str], ...],
        days: int,
        idp: CrlIdp | None = None,
        above: int = 0,
    ) -> tuple[bytes, Done]:
        office = self._store.office(issuer, self._operators)
        for serial, reason in revoke:
            office.revoke(serial, RevocationReason[reason])
        der = office.crl(lifetime_days=days, idp=idp, above=above)
        verify_crl(der, office.certificate(), [serial for serial, _ in revoke])
        found = crl_format.decode(der)
        facts = {
            "number": found.number,
            "entries": found.entries,
            "next_update": found.next_update,
        }
        return der, Done(facts, {}, [f"signed by {issuer}", "every revocation is listed"])

    def _change(self, step: s.Change) -> Done:
        self.change = Founding(
            s.people(step.custodians), step.threshold, CustodyPurpose.OFFLINE_STORE
        )
        made = self.change.share_set
        facts = {
            "set": made.id,
            "threshold": made.threshold,
            "custodians": [one.name for one in made.holders],
        }
        return Done(facts, {}, ["the new shares make one secret"])

    def _bundle(self, step: s.Bundle) -> Done:
        inputs = self._plan.inputs
        server = VerifierKey.parse(inputs[step.audit_key].decode(errors="replace"))
        request, text = signing_bundle.open_request(inputs[step.request], server)
        done = Done({"request": request.id, "from": request.origin})
        items = [self._wish(step, wish, done) for wish in request.items]
        answer = signing_bundle.Answer(
            signing_bundle.ANSWER,
            request.id,
            signing_bundle.sha256(text),
            self._plan.script.name,
            tuple(items),
        )
        body = signing_bundle.write(answer)
        signature = self._store.transcript_key.sign(body.encode())
        sealed = signing_bundle.sign_answer(body, self._store.verifier, signature)
        signing_bundle.open_answer(sealed, self._store.verifier)
        done.files[step.out] = sealed
        done.verified.append(f"the request is proven by the audit log of {request.origin}")
        return done

    def _wish(self, step: s.Bundle, wish: Wish, done: Done) -> Signed:
        if wish.kind == "crl":
            own = self._store.office(step.issuer, self._operators).certificate()
            if wish.issuer != own.sha256:
                raise BadRequest(
                    f"item {wish.id} wants a CRL of {wish.subject}, which is not {step.issuer}",
                    field=f"items[{wish.id}]",
                    rule="bundle.issuer",
                    remedy="name its CA as the issuer of a step of its own",
                )
            der, made = self._signed_crl(step.issuer, wish.revoke, step.days, above=wish.above)
            data = [der]
        else:
            csr = signing_bundle.decode(wish.csr, f"items[{wish.id}].csr")
            if pkcs10.decode(csr).subject.text != wish.subject:
                raise BadRequest(
                    f"the CSR of item {wish.id} is of another subject than {wish.subject}",
                    field=f"items[{wish.id}]",
                    rule="bundle.subject",
                )
            data, made = self._certified(step.issuer, csr, wish.path_length, step.years)
        done.facts.setdefault("items", []).append({"id": wish.id, "kind": wish.kind} | made.facts)
        done.verified += [f"item {wish.id}: {one}" for one in made.verified]
        return Signed(wish.id, wish.kind, tuple(map(signing_bundle.encode, data)))
