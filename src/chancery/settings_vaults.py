"""``[[vaults]]`` of ``chancery.toml``: tokens that hold keys, beside the software vault."""

from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from chancery.domain.vaults import SOFTWARE


class VaultSettings(BaseModel):
    """A PKCS#11 token.  Without *pin_file* somebody types the PIN: `chancery vault unlock`."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9-]{0,39}$")]
    kind: Literal["pkcs11"]
    module: Path = Field(description="The vendor's shared library.")
    token: str | None = Field(default=None, description="The token's label.")
    serial: str | None = Field(default=None, description="Its serial number.")
    pin_file: Path | None = Field(default=None, description="0600; holds the user PIN.")
    sessions: Annotated[int, Field(ge=1, le=64, description="Signatures at once.")] = 4
    verify: bool = Field(default=True, description="Verify every signature before it leaves.")

    @model_validator(mode="after")
    def _one_token(self) -> Self:
        if self.token is None and self.serial is None:
            raise ValueError("set token (its label), serial, or both")
        if self.name == SOFTWARE:
            raise ValueError(f"every instance has a vault {SOFTWARE} already")
        return self


def refuse_same_names(vaults: tuple[VaultSettings, ...]) -> None:
    """Raise ValueError if two vaults have one name."""
    names = [vault.name for vault in vaults]
    if len(set(names)) < len(names):
        raise ValueError("vaults: two of them have the same name")


def move_to_signer(document: dict[str, Any]) -> None:
    """In the file they stand on their own; the process that opens them is the signer."""
    signer = document.get("signer")
    if "vaults" in document and isinstance(signer, dict):
        signer["vaults"] = document.pop("vaults")
