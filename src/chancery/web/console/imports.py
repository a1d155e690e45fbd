"""Imports: certificates that exist already, from files to a preview to the record."""

from typing import Final

from starlette.responses import Response

from chancery.domain.errors import BadRequest
from chancery.domain.estate import EstateImport, ImportChoices, ImportState, Outcome
from chancery.domain.identity import Permission
from chancery.services.estate import ImportFile
from chancery.web import paging
from chancery.web.pages import Nav, Pages
from chancery.web.visit import Visit

IMPORT: Final = Permission.CERTIFICATE_IMPORT
PATH: Final = "/console/imports"
MAX_UPLOAD: Final = 50 * 1024 * 1024  # octets: what the service takes, and what is around it
_STEP: Final = 250  # rows of one step by a script; it takes about an eighth of a second
_LONG_STEP: Final = 5_000  # rows of one step by hand
_ROWS: Final = 50
_WORDS: Final = {
    Outcome.NEW: ("New", "good"),
    Outcome.UPDATE: ("New status", "warn"),
    Outcome.KNOWN: ("Known", None),
    Outcome.PROBLEM: ("Problem", "bad"),
    Outcome.IMPORTED: ("Imported", "good"),
    Outcome.UPDATED: ("Status updated", "good"),
}

pages = Pages(
    PATH, section="imports", nav=Nav("Imports", "file-import", 53, (IMPORT,), group="Trust")
)


@pages.get("", IMPORT)
def found(visit: Visit) -> Response:
    asked = paging.asked(visit.query)
    rows = visit.services.estate.find(visit.principal, asked.cursor, asked.limit)
    page = paging.paged(PATH, visit.query, rows, key=lambda one: one.id)
    return visit.render("console/imports/list.html", block="results", page=page)


@pages.get("/new", IMPORT)
def asked_for(visit: Visit) -> Response:
    authorities = visit.services.authorities.list(visit.principal)
    named = [
        (one.name, f"{one.name} ({one.subject.text})") for one in authorities if one.certificate
    ]
    return visit.render("console/imports/new.html", authorities=named)


@pages.post("/new", IMPORT, form=asked_for, max_body=MAX_UPLOAD)
def preview(visit: Visit) -> Response:
    form = visit.form
    files = [ImportFile(upload.name or "file", upload.data) for upload in form.files("files")]
    files = [file for file in files if file.data]
    if form.text("pasted"):
        files.append(ImportFile("pasted", form.raw("pasted").encode()))
    if not files:
        raise BadRequest(
            "no file was chosen", field="files", rule="required", remedy="choose one, or paste it"
        )
    choices = ImportChoices(
        form.text("authority") or None, _columns(form.text("columns")), form.flag("decimal")
    )
    passphrase = form.raw("passphrase") or None
    made = visit.services.estate.preview(visit.principal, files, choices, passphrase)
    return visit.redirect(f"{PATH}/{made.id}")


@pages.get("/{id}", IMPORT)
def one(visit: Visit) -> Response:
    current = visit.services.estate.show(visit.principal, visit.path["id"])
    outcome = _outcome(visit.query.text("outcome"))
    asked = paging.asked(visit.query, _ROWS)
    cursor = asked.cursor or ""
    after = int(cursor) if cursor.isdecimal() else 0
    rows = visit.services.estate.rows(visit.principal, current.id, outcome, after, asked.limit)
    page = paging.paged(
        f"{PATH}/{current.id}", visit.query, rows, key=lambda row: str(row.number), size=_ROWS
    )
    return visit.render(
        "console/imports/one.html",
        block="results",
        one=current,
        words=_WORDS,
        counts=_counts(current),
        outcome=outcome,
        page=page,
        waiting=sum(current.counts.get(o, 0) for o in (Outcome.NEW, Outcome.UPDATE)),
    )


@pages.post("/{id}/begin", IMPORT, step_up=True, form=one)
def begin(visit: Visit) -> Response:
    """The first step; the page goes on from there."""
    return _went(visit, visit.services.estate.step(visit.principal, visit.path["id"], _STEP))


@pages.post("/{id}/step", IMPORT, form=one)
def step(visit: Visit) -> Response:
    """Go on with one that was begun: a little by a script, more by hand."""
    current = visit.services.estate.show(visit.principal, visit.path["id"])
    if current.state is not ImportState.RUNNING:
        return _went(visit, current)
    size = _STEP if visit.partial else _LONG_STEP
    current = visit.services.estate.step(visit.principal, current.id, size)
    if visit.partial and current.state is ImportState.RUNNING:
        return visit.render("console/imports/progress.html", block="progress", one=current)
    return _went(visit, current)


@pages.post("/{id}/discard", IMPORT, form=one)
def discard(visit: Visit) -> Response:
    current = visit.services.estate.show(visit.principal, visit.path["id"])
    visit.services.estate.discard(visit.principal, current.id)
    if current.state is ImportState.PREVIEW:
        return visit.redirect(PATH, "The preview is gone; nothing was imported.", "info")
    return visit.redirect(PATH, "The report is gone; what was imported stays.", "info")


def _went(visit: Visit, current: EstateImport) -> Response:
    if current.state is not ImportState.DONE:
        return visit.redirect(f"{PATH}/{current.id}")
    wrong = current.counts.get(Outcome.PROBLEM, 0)
    if wrong:
        said = f"Imported, but {wrong:,} {'row has' if wrong == 1 else 'rows have'} a problem."
        return visit.redirect(f"{PATH}/{current.id}?outcome=problem", said, "warning")
    return visit.redirect(f"{PATH}/{current.id}", "Imported.")


def _counts(current: EstateImport) -> list[tuple[Outcome, int]]:
    """In the order in which they matter."""
    return [(outcome, current.counts[outcome]) for outcome in _WORDS if outcome in current.counts]


def _outcome(text: str) -> Outcome | None:
    return Outcome(text) if text in set(Outcome) else None


def _columns(text: str) -> dict[str, str]:
    """``serial = Serial No.``, one in a line."""
    found = {}
    for line in filter(None, map(str.strip, text.splitlines())):
        kind, equals, heading = (part.strip() for part in line.partition("="))
        if not equals or not heading:
            raise BadRequest(
                f"{line[:80]!r} does not say what a column holds",
                field="columns",
                rule="csv.column",
                remedy="write serial = Serial No., one in a line",
            )
        found[kind.replace("-", "_")] = heading
    return found
