"""What goes over the wire, in pydantic: strict, no unknown fields, times in Unix seconds."""

from typing import Annotated, Generic, TypeVar

from fastapi import Query
from pydantic import BaseModel, ConfigDict, Field

T = TypeVar("T")


class In(BaseModel):
    """A request body: nothing is coerced, nothing unknown passes."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


class Out(BaseModel):
    """An answer, made by us from domain values."""

    model_config = ConfigDict(frozen=True)


class PageOut(Out, Generic[T]):
    """One page; *next* goes into ``cursor`` for the following one, null at the end."""

    items: list[T]
    next: str | None


class Problem(Out):
    """RFC 9457 problem document."""

    type: str = Field(examples=["urn:chancery:problem:bad-key"])
    title: str
    status: int
    detail: str
    field: str | None = Field(default=None, description="What is wrong, as you wrote it.")
    rule: str | None = Field(default=None, description="The rule it broke.")
    remedy: str | None = Field(default=None, description="What to do about it.")


class Done(Out):
    """A change that has nothing to tell but that it was made."""

    done: bool = True


Cursor = Annotated[str | None, Query(max_length=128, description="``next`` of the page before.")]
Limit = Annotated[int, Query(ge=1, le=1000, description="Items a page.")]
Name = Annotated[str, Field(min_length=1, max_length=128)]
Text = Annotated[str, Field(max_length=1024)]
Reason = Annotated[str, Field(min_length=1, max_length=1024)]
