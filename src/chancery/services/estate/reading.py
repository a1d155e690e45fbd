"""Files of an estate, read into one list: certificates, and entries of lists about them."""

from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Final

from chancery.domain.certificate import CertificateStatus, RevocationReason
from chancery.domain.errors import BadRequest, CAError, TooLarge
from chancery.domain.estate import ImportChoices
from chancery.domain.names import GeneralName
from chancery.wire import bundle, foreign_certificate, index_txt, inventory_csv
from chancery.wire.foreign_certificate import ForeignCertificate

MAX_FILES: Final = 5_000
MAX_OCTETS: Final = 48 * 1024 * 1024
MAX_ROWS: Final = 100_000


@dataclass(frozen=True, slots=True)
class ImportFile:
    """A file as it was sent; *name* is for people."""

    name: str
    data: bytes


@dataclass(frozen=True, slots=True)
class Item:
    """What one place in one file says.  *issuer* is RFC 4514 text where an entry names it.

    *tells*: its status is told, and not taken for granted.
    """

    file: str
    line: int
    certificate: ForeignCertificate | None = None
    serial: str = ""
    subject: str = ""
    issuer: str = ""
    names: tuple[GeneralName, ...] = ()
    not_before: int | None = None
    not_after: int | None = None
    tells: bool = False
    status: CertificateStatus = CertificateStatus.VALID
    revoked_at: int | None = None
    reason: RevocationReason | None = None
    invalidity_date: int | None = None
    error: BadRequest | None = None
    note: str | None = None


def read(files: Sequence[ImportFile], choices: ImportChoices, passphrase: str | None) -> list[Item]:
    """Everything the files hold, in order.  Entries of lists get the certificates beside them."""
    if not files:
        raise BadRequest("no file was sent", field="files", rule="import.empty")
    if len(files) > MAX_FILES or sum(len(file.data) for file in files) > MAX_OCTETS:
        raise TooLarge(
            f"an import has at most {MAX_FILES} files of {MAX_OCTETS // 2**20} MiB together",
            field="files",
            rule="import.size",
            remedy="import them in several goes: what is on record already is left alone",
        )
    items: list[Item] = []
    lists: list[list[Item]] = []
    for file in files:
        if index_txt.is_index(file.data):
            lists.append(list(_index(file)))
        elif bundle.is_bundle(file.data) and not _is_list(file.data, choices):
            items += _bundle(file, passphrase)
        else:
            lists.append(list(_list(file, choices)))
        if len(items) + sum(map(len, lists)) > MAX_ROWS:
            raise TooLarge(f"more than {MAX_ROWS} certificates", field="files", rule="import.rows")
    for lines in lists:
        items = _joined(lines, items)
    return items


def _is_list(data: bytes, choices: ImportChoices) -> bool:
    """Whether there is a heading before the first PEM block: a CSV may hold PEM in its cells."""
    if b"\n" not in data[: max(0, data.find(b"-----BEGIN "))]:
        return False
    try:
        inventory_csv.layout(data, choices.columns)
    except BadRequest:
        return False
    return True


def _bundle(file: ImportFile, passphrase: str | None) -> Iterator[Item]:
    for found in bundle.read(file.data, passphrase):
        if found.error is not None:
            yield Item(file.name, found.line, error=found.error)
        else:
            yield _certificate(Item(file.name, found.line), found.der)


def _certificate(item: Item, der: bytes) -> Item:
    try:
        certificate = foreign_certificate.decode(der)
    except BadRequest as error:
        return replace(item, error=error)
    return replace(
        item,
        certificate=certificate,
        serial=certificate.serial,
        subject=certificate.subject,
        issuer=certificate.issuer,
        names=certificate.names,
        not_before=certificate.not_before,
        not_after=certificate.not_after,
    )


def _index(file: ImportFile) -> Iterator[Item]:
    for line in index_txt.read(file.data):
        if isinstance(line, index_txt.Unread):
            yield Item(file.name, line.line, error=line.error)
            continue
        held = line.reason is RevocationReason.certificateHold
        status = CertificateStatus.HELD if held else CertificateStatus.REVOKED
        yield Item(
            file=file.name,
            line=line.line,
            serial=line.serial,
            subject=line.subject,
            not_after=line.not_after,
            tells=True,
            status=CertificateStatus.VALID if line.reason is None else status,
            revoked_at=line.revoked_at,
            reason=line.reason,
            invalidity_date=line.invalidity_date,
        )


def _list(file: ImportFile, choices: ImportChoices) -> Iterator[Item]:
    try:
        how = inventory_csv.layout(file.data, choices.columns, decimal=choices.decimal)
    except CAError as error:
        raise BadRequest(
            f"{file.name}: {error}", field=error.field, rule=error.rule, remedy=error.remedy
        ) from error
    for row in inventory_csv.read(file.data, how):
        item = Item(
            file=file.name,
            line=row.line,
            serial=row.serial,
            subject=row.subject,
            issuer=row.issuer,
            names=row.names,
            not_before=row.not_before,
            not_after=row.not_after,
            tells=not how.columns.keys().isdisjoint({"status", "revoked_at"}),
            status=row.status,
            revoked_at=row.revoked_at,
            reason=row.reason,
            error=row.error,
        )
        yield _certificate(item, row.certificate) if row.certificate else item


def _joined(lines: Sequence[Item], items: Sequence[Item]) -> list[Item]:
    """The lines of a list, each with its certificate, and the items that it does not speak of.

    An index does not name its CA: that is whoever issued most of what it lists.
    """
    issuers: defaultdict[str, set[str]] = defaultdict(set)
    beside: dict[tuple[str, str], Item] = {}
    for item in items:
        if item.certificate is not None:
            issuers[item.serial].add(item.issuer)
            beside.setdefault((item.serial, item.issuer), item)
    bare = [one for one in lines if one.certificate is None and one.error is None]
    found = Counter(issuer for one in bare for issuer in issuers.get(one.serial, ()))
    usual = found.most_common(1)[0][0] if found else ""
    joined, taken = [], set()
    for line in lines:
        if line.certificate is not None or line.error is not None:
            joined.append(line)
            continue
        issuer = line.issuer or usual
        other = beside.get((line.serial, issuer))
        if other is None:
            joined.append(replace(line, issuer=issuer))
            continue
        taken.add(id(other))
        joined.append(
            replace(
                other,
                file=line.file,
                line=line.line,
                tells=line.tells,
                status=line.status,
                revoked_at=line.revoked_at,
                reason=line.reason,
                invalidity_date=line.invalidity_date,
                note=f"certificate: {other.file}",
            )
        )
    return [*(item for item in items if id(item) not in taken), *joined]
