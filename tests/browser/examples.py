"""Where the pages with parameters are: a path template, and one address that fits it.

``made`` is what ``world.furnish`` made.  Every GET page of the route table is photographed and
checked; one with parameters needs a line here, or stays unseen.
"""

from collections.abc import Callable, Mapping

Made = Mapping[str, str]

EXAMPLES: dict[str, Callable[[Made], str]] = {}
"""Path template -> address."""

SKIPPED = {
    "/console/sign-in/factor": "only in the middle of signing in",
    "/console/sign-in/enrol": "only in the middle of signing in",
    "/console/step-up": "only when a proof is stale",
}
"""Pages that show nothing by themselves, and why; they have tests of their own."""
