"""The full linter: pkilint's RFC 5280 validators behind ``ports.Linter``.

About 3 ms per certificate and 35 MiB once loaded, so it judges profiles and,
in the background, what was issued; ``wire.lint`` stands in the hot path.
"""

from collections.abc import Callable, Iterator, Sequence
from functools import cache
from typing import Final

from chancery.domain import name_syntax
from chancery.domain.errors import BadName

_DNS_SYNTAX: Final = "pkix.invalid_domain_name_syntax"
_Findings = Callable[[bytes], Iterator[str]]


class PkiLinter:
    """Findings of severity WARNING or worse.  Safe for concurrent use.

    pkilint is imported by the first call: a process that never lints does
    not pay for it.
    """

    def __call__(self, certificate: bytes) -> Sequence[str]:
        """``severity code: message`` texts; that pkilint cannot read it is a finding, too."""
        return tuple(_pkix()(certificate))


@cache
def _pkix() -> _Findings:
    """Import pkilint and compose its PKIX validators, once."""
    from pkilint import loader, validation  # noqa: PLC0415 - 0.3 s and 31 MiB
    from pkilint.pkix import certificate, extension, name  # noqa: PLC0415

    validators = certificate.create_pkix_certificate_validator_container(
        certificate.create_decoding_validators(
            name.ATTRIBUTE_TYPE_MAPPINGS, extension.EXTENSION_MAPPINGS
        ),
        [
            certificate.create_issuer_validator_container([]),
            certificate.create_validity_validator_container(),
            certificate.create_subject_validator_container([]),
            certificate.create_extensions_validator_container([]),
            certificate.create_spki_validator_container([]),
        ],
    )
    documents = loader.RFC5280CertificateDocumentLoader()
    # Severities count down: FATAL is 0.
    worst_ignored = validation.ValidationFindingSeverity.WARNING + 1

    def findings(der: bytes) -> Iterator[str]:
        try:
            document = documents.load_der_document(der, "certificate")
        except ValueError as error:
            yield f"FATAL certificate.unreadable: {str(error)[:200]}"
            return
        # A validator that fails in an unplanned way is a FATAL finding of pkilint's own.
        for result in validators.validate(document.root):
            for found in result.finding_descriptions:
                if found.finding.severity < worst_ignored:
                    if found.finding.code == _DNS_SYNTAX and _is_host(str(result.node.pdu)):
                        continue
                    where = found.message or result.node.path
                    yield f"{found.finding.severity.name} {found.finding.code}: {where}"

    return findings


def _is_host(name: str) -> bool:
    """Whether a dNSName that pkilint refuses is in preferred name syntax all the same.

    It asks for a domain with a public-looking end, and so objects to
    ``localhost``, to host names of one label and to wildcards.  RFC 5280
    §4.2.1.6 asks for the syntax of RFC 1034 §3.5 alone; which names there may
    be is a matter of the profile, which was held to it before.
    """
    try:
        return name_syntax.dns(name) == name.lower()
    except BadName:
        return False
