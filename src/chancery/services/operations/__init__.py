"""Long pieces of work as objects: previewed, started, followed, cancelled, resumed."""

from chancery.services.operations.running import OperationHandler
from chancery.services.operations.service import OperationService, Preview, Seen

__all__ = ["OperationHandler", "OperationService", "Preview", "Seen"]
