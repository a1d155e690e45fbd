"""An instance that issues without asking anybody, for load."""

from pathlib import Path

import pytest

from services.instance import Instance


@pytest.fixture
def automatic(tmp_path: Path) -> Instance:
    """Not served yet; the RA ``automatic`` needs no approvals."""
    instance = Instance.create(tmp_path / "instance")
    with instance.serving():
        instance.automatic_ra("automatic")
    return instance
