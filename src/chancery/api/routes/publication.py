"""Where files for relying parties have got to, and how they look from outside."""

from pydantic import Field

from chancery.api.bodies import Using
from chancery.api.models import Out
from chancery.api.routing import Door, Who
from chancery.domain.identity import Permission

door = Door("/publication", "publication")


class PublisherOut(Out):
    """One place; ``http`` is the directory of this machine."""

    publisher: str
    files: int
    behind: int = Field(description="Files that are older there, or missing.")
    published_at: int | None
    error: str | None
    attempts: int = Field(description="Failed one after another.")
    next_at: int | None


class SightingOut(Out):
    """What the watchdog saw at a URL."""

    url: str
    authority: str
    name: str = Field(description="web, web/delta, web/3 ...")
    state: str = Field(description="good, late (past half of its life), expired, wrong or away.")
    said: str
    number: int | None
    this_update: int | None
    next_update: int | None
    seen_at: int
    since: int


class PublicationOut(Out):
    publishers: list[PublisherOut]
    urls: list[SightingOut]


@door.route("GET", "", Permission.AUTHORITY_READ)
def show(who: Who, using: Using) -> PublicationOut:
    """Show each publisher, and what was seen at each published URL."""
    return PublicationOut(
        publishers=[
            PublisherOut.model_validate(one, from_attributes=True)
            for one in using.publication.standings(who)
        ],
        urls=[
            SightingOut.model_validate(one, from_attributes=True)
            for one in using.publication.sightings(who)
        ],
    )


@door.route("POST", "/{publisher}/retry", Permission.CRL_ISSUE, status=204)
def retry(who: Who, using: Using, publisher: str) -> None:
    """Try again now what failed at a publisher."""
    using.publication.retry(who, publisher)
