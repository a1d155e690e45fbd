"""Numbers of the record for monitoring: the same whichever process or node is asked."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from chancery.domain.publication import Publication, Sight, Sighting
from chancery.domain.work import JobState
from chancery.ports import Store
from chancery.services.notifications.plan import Plan


@dataclass(frozen=True, slots=True)
class Family:
    """One metric: a value for each combination of *labels*.  Counters only ever grow."""

    name: str
    help: str
    labels: tuple[str, ...]
    values: Mapping[tuple[str, ...], int]
    counter: bool = False


class Gauges:
    """Reads a few small tables."""

    def __init__(self, store: Store, plan: Plan, kinds: tuple[str, ...]) -> None:
        """*kinds* of jobs, and the channels of *plan*, are told even where there is nothing."""
        self._store = store
        self._kinds = kinds
        self._channels = [hook.channel for hook in plan.webhooks]
        if plan.mail:
            self._channels.append("mail")

    def read(self) -> list[Family]:
        """What there is now; certificates as far as they have been counted, seconds behind."""
        with self._store.read() as session:
            totals = session.figures.totals()
            jobs = session.jobs.counts()
            depth = session.notifications.depth()
            seen = session.publications.sightings()
            published = session.publications.all()
        states: dict[tuple[str, ...], int] = {
            (kind, state.value): 0 for kind in self._kinds for state in JobState
        }
        states |= {(kind, state.value): count for (kind, state), count in jobs.items()}
        unsent = {**dict.fromkeys(self._channels, 0), **depth}
        of_profile = ("authority", "profile")
        return [
            Family(
                "chancery_certificates_issued",
                "Certificates issued, on all nodes.",
                of_profile,
                {(one.authority, one.profile): one.issued for one in totals},
                counter=True,
            ),
            Family(
                "chancery_certificates_revoked",
                "Certificates revoked, on all nodes.",
                of_profile,
                {(one.authority, one.profile): one.revoked for one in totals},
                counter=True,
            ),
            Family(
                "chancery_jobs",
                "Jobs that wait, run, or were given up.",
                ("kind", "state"),
                states,
            ),
            Family(
                "chancery_outbox_messages",
                "Messages not sent yet, failed ones included.",
                ("channel",),
                {(channel,): count for channel, count in unsent.items()},
            ),
            *_of_publication(seen, published),
        ]


def _of_publication(seen: Sequence[Sighting], published: Sequence[Publication]) -> list[Family]:
    of_url = ("authority", "crl", "url")
    return [
        Family(
            "chancery_crl_published_next_update_seconds",
            "When the CRL at a published URL ends, as the watchdog saw it.",
            of_url,
            {
                (one.authority, one.name, one.url): one.next_update
                for one in seen
                if one.next_update is not None
            },
        ),
        Family(
            "chancery_crl_published_alarm",
            "1 where a published CRL is late, expired, wrong or cannot be fetched.",
            of_url,
            {(one.authority, one.name, one.url): int(one.state is not Sight.GOOD) for one in seen},
        ),
        Family(
            "chancery_publication_failures",
            "Attempts that failed one after another.",
            ("publisher", "file"),
            {(one.publisher, one.file): one.attempts for one in published},
        ),
    ]
