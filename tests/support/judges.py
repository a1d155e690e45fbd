"""Programs nobody here wrote, as judges of what we encode.  Their warnings are our errors."""

import shutil
import subprocess
from functools import cache

from pkilint import loader
from pkilint.pkix import certificate, extension, name
from pkilint.validation import ValidationFindingSeverity, ValidatorContainer


@cache
def _linter() -> ValidatorContainer:
    """The validators of ``lint_pkix_cert``."""
    return certificate.create_pkix_certificate_validator_container(
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


def findings(der: bytes, least: str = "WARNING") -> list[str]:
    """What pkilint's RFC 5280 linter finds in a certificate, of severity *least* or worse."""
    loaded = loader.load_certificate(der, "certificate")
    return [
        f"{found.finding.severity.name} {found.finding.code}: {found.message}"
        for result in _linter().validate(loaded.root)
        for found in result.finding_descriptions
        if found.finding.severity <= ValidationFindingSeverity[least]  # 0 is the worst
    ]


def run(*command: str, der: bytes = b"") -> str:
    """What *command* prints of *der*; it must succeed and have nothing to complain about."""
    assert shutil.which(command[0]), f"{command[0]} is not installed"
    done = subprocess.run(command, input=der, capture_output=True, timeout=20, check=False)
    errors = done.stderr.decode()
    assert done.returncode == 0, errors
    assert not errors.strip(), errors
    return done.stdout.decode()
