"""What goes on in the background, put together from the settings."""

from dataclasses import dataclass

from chancery.adapters.clock import SystemClock
from chancery.adapters.storage import SqlStore
from chancery.services.figures import FigureCounter, FigureService
from chancery.services.jobs import JobService


@dataclass(frozen=True, slots=True)
class Background:
    """One of each."""

    jobs: JobService
    figures: FigureService
    counter: FigureCounter


def background(store: SqlStore, clock: SystemClock) -> Background:
    return Background(
        jobs=JobService(store, clock),
        figures=FigureService(store, clock),
        counter=FigureCounter(store),
    )
