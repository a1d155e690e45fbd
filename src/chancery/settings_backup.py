"""``[backup]`` of ``chancery.toml``: where backups go, and how many stay."""

from datetime import timedelta
from pathlib import Path
from typing import Annotated, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator


class BackupSettings(BaseModel):
    """*medium* is where the backup device is mounted; *copies* are folders that get the same.

    When backups are made is not a setting: two operators order them.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    medium: Path
    copies: tuple[Path, ...] = ()
    keep: Annotated[int, Field(ge=1, le=1000, description="Backups that stay.")] = 14
    drill_every: Annotated[timedelta, Field(ge=timedelta(days=1))] = timedelta(days=90)

    @model_validator(mode="after")
    def _apart(self) -> Self:
        if self.medium in self.copies or len(set(self.copies)) < len(self.copies):
            raise ValueError("medium and copies must be different folders")
        return self
