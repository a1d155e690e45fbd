"""``chancery request submit`` and ``edit``: from CSRs, server-made keys, or thousands of lines."""

import sys
from pathlib import Path
from typing import Annotated, Any, Final

from cyclopts import Parameter

from chancery.cli import arguments, bulk, files, output
from chancery.cli.arguments import NOT_NEGATIVE, Days, Id, Texts
from chancery.cli.client import Json
from chancery.cli.connection import DEFAULT, Connection
from chancery.cli.failures import OK, PARTIAL, problem, report
from chancery.cli.text import clean
from chancery.domain.errors import BadRequest, CAError

_MAX_CSR: Final = 64 * 1_024  # octets: what the server accepts

Profile = Annotated[
    str | None, Parameter(help="Certificate profile; --bulk lines may name their own.")
]
Ra = Annotated[str | None, Parameter(help="Registration authority; else the profile's only one.")]
Authority = Annotated[str | None, Parameter(help="Issuing CA; else the RA's first.")]
Names = Annotated[
    Texts,
    Parameter(
        name=["--names", "--name"],
        help="Names for the SAN: dns:, email:, ip:, uri:, upn:; comma separated or repeated. "
        "Without a kind: :// makes a uri, @ an email, an address an ip, all else a dns.",
    ),
]
Subject = Annotated[Texts, Parameter(help="Subject attributes: CN=www.example.org,O=Example.")]
ServerKey = Annotated[
    str | None,
    Parameter(help="Let the server make the key: rsa-3072, ec-p256, ed25519, ...; no FILE then."),
]
Extension = Annotated[Texts, Parameter(help="Further extension: OID=HEX of its DER; repeatable.")]
RequestNote = Annotated[str | None, Parameter(help="A word to those who decide.")]


def submit(
    *csr_files: files.Inputs,
    profile: Profile = None,
    ra: Ra = None,
    authority: Authority = None,
    anonymous: Annotated[bool, Parameter(help="Without an account; prints a secret code.")] = False,
    names: Names = (),
    subject: Subject = (),
    days: Days = None,
    server_key: ServerKey = None,
    extension: Extension = (),
    note: RequestNote = None,
    idempotency_key: Annotated[
        str | None, Parameter(help="Repeating a submission with the same key changes nothing.")
    ] = None,
    bulk_from: Annotated[
        Path | None,
        Parameter(
            name="--bulk",
            allow_leading_hyphen=True,
            help="NDJSON file (one submission a line; - is stdin) or directory of CSRs.",
        ),
    ] = None,
    certificates: Annotated[
        Path | None,
        Parameter(help="Directory for the certificates issued at once; made if it is not there."),
    ] = None,
    start: Annotated[
        int,
        Parameter(validator=NOT_NEGATIVE, help="With --bulk: skip so many, to resume."),
    ] = 0,
    force: files.Force = False,
    api: Connection = DEFAULT,
) -> int:
    """Submit certificate requests: CSR files, one server-made key, or a whole batch.

    One request prints {"id", "state", "code"} and, if issued at once, its
    serial and certificate.  Several print a list; --bulk prints one JSON line
    each, in order.
    """
    common = submission(
        profile=profile,
        ra=ra,
        authority=authority,
        names=names,
        subject=subject,
        days=days,
        server_key=server_key,
        extension=extension,
        note=note,
    )
    _check_sources(csr_files, server_key, bulk_from)
    if profile is None and (bulk_from is None or bulk_from.is_dir()):
        raise BadRequest("no profile is named", field="--profile", rule="usage")
    keep = bulk.Keeper(certificates, force=force)
    if bulk_from is not None:
        return bulk.submit(bulk_from, common, start=start, keep=keep, api=api)
    sources: list[Path | None] = list(csr_files) or [None]
    headers = {"Idempotency-Key": idempotency_key} if idempotency_key else {}
    if headers and len(sources) > 1:
        raise BadRequest("one key cannot name several requests", field="--idempotency-key")
    if len(sources) > 1:
        return _several(list(csr_files), common, keep, api, anonymous=anonymous)
    body = common | read_csr(sources[0])
    with api.open(anonymous=anonymous) as server:
        answer = server.post("requests", body=body, headers=headers)
    keep(answer, sources[0].stem if sources[0] else str(answer.get("id")))
    output.show(_ordered(answer), as_json=api.as_json, human=_told)
    return OK


def edit(
    request_id: Id,
    csr_file: files.Input | None = None,
    /,
    *,
    profile: Annotated[str | None, Parameter(help="Certificate profile.")] = None,
    ra: Ra = None,
    authority: Authority = None,
    names: Names = (),
    subject: Subject = (),
    days: Days = None,
    extension: Extension = (),
    note: RequestNote = None,
    api: Connection = DEFAULT,
) -> None:
    """Change a pending request.  Approvals given before no longer count."""
    body = submission(
        profile=profile,
        ra=ra,
        authority=authority,
        names=names,
        subject=subject,
        days=days,
        extension=extension,
        note=note,
    ) | read_csr(csr_file)
    if not body:
        raise BadRequest("nothing to change is given", remedy="give at least one option")
    with api.open() as server:
        answer = server.patch("requests", request_id, body=body)
    output.show(answer, as_json=api.as_json, human=_told)


def submission(*, names: Texts, subject: Texts, extension: Texts, **plain: object) -> Json:
    """Build the body of a submission from what was given; what was not stays out."""
    body: dict[str, Any] = {key: value for key, value in plain.items() if value is not None}
    if names:
        body["names"] = arguments.names(names)
    if subject:
        body["subject"] = arguments.subject(subject)
    if extension:
        body["extensions"] = arguments.extensions(extension)
    return body


def read_csr(path: Path | None) -> Json:
    """Return the ``csr`` member of a submission; nothing where there is no file."""
    if path is None:
        return {}
    return {"csr": files.public(path, _MAX_CSR, "csr.size")}


def _check_sources(csr_files: tuple[Path, ...], server_key: str | None, many: Path | None) -> None:
    if sum((bool(csr_files), server_key is not None and many is None, many is not None)) != 1:
        raise BadRequest(
            "give exactly one of: CSR files, --server-key, --bulk",
            field="FILE",
            remedy="for example: chancery request submit www.csr --profile tls-server",
        )


def _several(
    paths: list[Path], common: Json, keep: "bulk.Keeper", api: Connection, *, anonymous: bool
) -> int:
    """Submit file after file.  A failure is one item of the list and does not stop the rest."""
    results: list[Json] = []
    failed = 0
    with api.open(anonymous=anonymous) as server:
        for path in paths:
            try:
                answer = server.post("requests", body=common | read_csr(path))
                keep(answer, path.stem)
                result: Json = {"file": str(path)} | _ordered(answer)
            except CAError as error:
                failed += 1
                result = {"file": str(path), "error": problem(error)}
                if not api.as_json:
                    print(f"{path}: ", end="", file=sys.stderr, flush=True)
                    report(error, as_json=False)
            results.append(result)
            if not api.as_json and "error" not in result:
                _told(result)
    if api.as_json:
        output.print_json(results)
    return PARTIAL if failed else OK


def _ordered(answer: Json) -> Json:
    """Put what scripts rely on first, present even when the server leaves it out."""
    return {"id": answer.get("id"), "state": answer.get("state"), "code": answer.get("code")} | {
        key: value for key, value in answer.items() if key not in {"id", "state", "code"}
    }


def _told(answer: Json) -> None:
    certificate = answer.get("certificate")
    output.record({key: value for key, value in answer.items() if key != "certificate"})
    if answer.get("receipt"):
        output.line("The centre is away: this waits.  See `chancery ra receipt CODE` for it.")
    if answer.get("code"):
        output.line("Keep the code: it is shown this once, and the only key to this request.")
    if isinstance(certificate, str):
        print(clean(certificate.rstrip(), keep_lines=True))
