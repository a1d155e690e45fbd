"""OCSP answers (RFC 6960) of every kind: good only for what is on record, signed when asked.

A serial is known from its intent on, so nobody ever hears "unknown" about a
certificate that exists (C14).  An abandoned intent was never signed: whoever
presents a certificate with its serial did not get it from us.

What is usual is answered by ``desk``, from memory; this reads the record for
every answer.
"""

import threading
from collections import OrderedDict
from typing import Final

from chancery.domain.errors import NotFound, NotPermitted
from chancery.domain.status import Standing
from chancery.ports import Clock, KeyVault, Store
from chancery.services.status.composing import Answer, Moment, Spans, cert_status
from chancery.services.status.issuer_index import Issuer, IssuerIndex
from chancery.services.status.responder import ResponderSource
from chancery.services.status.signed_requests import check_signature
from chancery.wire import ocsp

_CACHED: Final = 1_000
"""Signed answers kept: about 1 KiB each with an EC responder, 3 KiB with RSA."""


class OcspResponder:
    """Answers requests.  Safe for concurrent use."""

    def __init__(
        self,
        store: Store,
        vault: KeyVault,
        clock: Clock,
        responders: ResponderSource,
        index: IssuerIndex,
        spans: Spans,
    ) -> None:
        self._store = store
        self._vault = vault
        self._clock = clock
        self._responders = responders
        self._index = index
        self._lifetime_s = spans.lifetime_s
        self._reuse_s = spans.reuse_s
        self._lock = threading.Lock()
        self._answers: OrderedDict[bytes, tuple[Standing | None, Answer]] = OrderedDict()

    def answer(self, name: str, request_der: bytes) -> Answer:
        """Answer for one authority, or, if *name* is empty, for whichever is meant.

        Raises BadRequest for what is no request, NotFound for an unknown
        authority, NotPermitted where every CertID belongs to another CA, and
        what ``check_signature`` does.
        """
        request = ocsp.decode_request(request_der)
        issuers = self._index.current()
        if name and name not in issuers.names:
            raise NotFound(f"{name} has no responder here", field="authority")
        asked = [(cert_id, self._meant(cert_id, name)) for cert_id in request.cert_ids]
        issuer = next((one for _, one in asked if one is not None), None)
        if issuer is None:
            raise NotPermitted(
                f"none of these certificates was issued by {name or 'a CA of this house'}",
                field="request",
                rule="ocsp.issuer",
                remedy="ask the responder that the certificate names",
            )
        # One answer has one signer, who may speak for the one key that appointed it.
        asked = [(cert_id, one if one is issuer else None) for cert_id, one in asked]
        authority = issuer.authority.name
        keys = [(authority, cert_id.serial) for cert_id, one in asked if one is not None]
        with self._store.read() as session:
            check_signature(session, issuers, issuer.policy, request_der, self._clock.s())
            found = session.statuses.standings(keys).found
        standings = [found.get((authority, cert_id.serial)) for cert_id, _ in asked]
        if request.nonce is None and len(asked) == 1:
            return self._reusable(issuer, asked[0][0], standings[0])
        return self._sign(
            issuer,
            request,
            [
                cert_status(standing, one)
                for standing, (_, one) in zip(standings, asked, strict=True)
            ],
        )

    def _meant(self, cert_id: ocsp.CertId, name: str) -> Issuer | None:
        hashes = (cert_id.hash or "", cert_id.issuer_name_hash, cert_id.issuer_key_hash)
        issuer = self._index.latest.by_hash.get(hashes)
        return issuer if issuer is not None and name in ("", issuer.authority.name) else None

    def _reusable(self, issuer: Issuer, cert_id: ocsp.CertId, standing: Standing | None) -> Answer:
        """An answer without a nonce serves everybody, for as long as the record says the same."""
        with self._lock:
            kept = self._answers.get(cert_id.raw)
            if kept is not None:
                self._answers.move_to_end(cert_id.raw)
        if kept is not None and kept[0] == standing:
            now = self._clock.s()
            if 0 <= now - kept[1].this_update < self._reuse_s and now < kept[1].next_update:
                return kept[1]
        status = cert_status(standing, issuer)
        answer = self._sign(issuer, ocsp.Request((cert_id,), None), [status])
        if standing is not None:  # what does not exist is asked for without end
            with self._lock:
                self._answers[cert_id.raw] = (standing, answer)
                while len(self._answers) > _CACHED:
                    self._answers.popitem(last=False)
        return answer

    def _sign(self, issuer: Issuer, request: ocsp.Request, statuses: list[bytes]) -> Answer:
        responder = self._responders.responder(issuer.authority, issuer.key)
        moment = Moment.of(responder, issuer.policy, self._clock.s(), self._lifetime_s)
        raw = [cert_id.raw for cert_id in request.cert_ids]
        data = moment.data(list(zip(raw, statuses, strict=True)), request.nonce)
        signature = self._vault.sign_ocsp(responder.key_id, responder.algorithm, data)
        return moment.answer(data, signature)
