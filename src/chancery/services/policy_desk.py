"""What judges policy before and after it is written, in one hand."""

from dataclasses import dataclass

from chancery.ports import Linter, Store
from chancery.services.dry_run import DryRunService
from chancery.services.preview import PreviewService
from chancery.services.risk import RiskService


@dataclass(frozen=True, slots=True)
class PolicyDesk:
    """Risks of what is in force, previews and dry runs of candidates."""

    risks: RiskService
    previews: PreviewService
    dry_runs: DryRunService

    @classmethod
    def open(cls, store: Store, linter: Linter, *, http: str) -> "PolicyDesk":
        return cls(
            RiskService(store), PreviewService(store, linter), DryRunService(store, http=http)
        )
