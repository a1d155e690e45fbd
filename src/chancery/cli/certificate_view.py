"""Certificates and authorities as an operator reads them: what they say, and no PEM."""

from chancery.cli import output
from chancery.cli.client import Json
from chancery.cli.text import clean
from chancery.domain.errors import BadRequest

_FIRST_OF_AUTHORITY = ("name", "state", "subject", "parent", "container")
_OF_CERTIFICATE = ("serial", "not_before", "not_after", "path_length")
_FIRST_OF_CERTIFICATE = (
    *("serial", "status", "revoked_at", "reason", "invalidity_date", "subject", "names"),
    *("issuer", "authority", "not_before", "not_after", "sha256", "profile", "requester"),
)


def authority(answer: Json) -> None:
    """Print an authority, and of its certificate what one looks for."""
    told = _first(answer, _FIRST_OF_AUTHORITY)
    if isinstance(text := answer.get("certificate"), str) and (said := facts(text)):
        told["certificate"] = said
        answer = {key: value for key, value in answer.items() if key not in _OF_CERTIFICATE}
    output.record(told | _rest(answer, told))


def certificate(answer: Json) -> None:
    """Print an end entity's certificate and where it stands."""
    if isinstance(text := answer.get("certificate"), str):
        answer = answer | {"issuer": facts(text).get("issuer")}
    told = _first(answer, _FIRST_OF_CERTIFICATE)
    output.record(told | _rest(answer, told))


def certified(answer: Json) -> None:
    """Print what became of a CA certificate; the PEM whole, unless a file has it."""
    text = answer.get("certificate")
    told = {key: value for key, value in answer.items() if key != "certificate"}
    if not isinstance(text, str):
        output.record(told)
        return
    output.record(told | facts(text))
    if "file" not in answer:
        print(clean(text.rstrip(), keep_lines=True))


def facts(text: str) -> Json:
    """What a PEM certificate says of itself; nothing where it cannot be read here."""
    from chancery.wire import ca_certificate, pem  # noqa: PLC0415 - help must not wait for X.509

    try:
        der = pem.decode(text.encode(), ("CERTIFICATE",), len(text) + 1)[1]
        found = ca_certificate.decode(der)
    except (BadRequest, UnicodeEncodeError):  # of a kind that only the server knows
        return {}
    limit = "unlimited" if found.path_length is None else found.path_length
    return {
        "serial": found.serial,
        "subject": found.subject.text,
        "issuer": found.issuer.text,
        "not_before": found.not_before,
        "not_after": found.not_after,
        "sha256": found.sha256,
        "path_length": limit if found.is_ca else None,
    }


def _first(answer: Json, keys: tuple[str, ...]) -> Json:
    return {key: answer[key] for key in keys if key in answer}


def _rest(answer: Json, told: Json) -> Json:
    return {
        key: value
        for key, value in answer.items()
        if key not in told and key not in {"certificate", "chain"}
    }
