"""Vaults: where keys are, how these places are doing, and trials of them."""

from pydantic import Field

from chancery.api.bodies import Using
from chancery.api.models import Out
from chancery.api.routing import Door, Who
from chancery.domain.identity import Permission
from chancery.domain.vaults import Probe
from chancery.services.vaults import VaultView

door = Door("/vaults", "vaults")
signer = Door("/signer", "vaults")


class TokenOut(Out):
    """What the token says of itself."""

    label: str
    serial: str
    manufacturer: str
    model: str
    firmware: str
    mechanisms: list[str]


class VaultOut(Out):
    """A vault.  Counts are since the signer's start."""

    name: str
    kind: str
    state: str = Field(description="up, away, pin-wanted or pin-refused.")
    since: int
    reason: str | None = Field(description="Why it is not up.")
    sessions: int
    busy: int
    signatures: int
    failures: int
    lost: int = Field(description="How often its token went away.")
    verified: bool = Field(description="Whether every signature is verified before it leaves.")
    approved_mode: bool
    authorities: list[str] = Field(description="Whose keys it has.")
    token: TokenOut | None


class TokenKeyOut(Out):
    """A key on the token."""

    label: str
    object_id: str
    kind: str
    key_id: str | None = Field(description="Our name for it, if it is one of ours.")
    attributes: list[str]


class VaultShownOut(VaultOut):
    keys: list[TokenKeyOut] | None = Field(description="null: the token cannot be asked now.")


class ProbeOut(Out):
    """One thing that was tried."""

    name: str
    passed: bool
    detail: str
    took_us: int


def _vault_out(view: VaultView) -> dict[str, object]:
    standing = view.standing
    names = set(VaultOut.model_fields) - {"authorities", "token", "kind", "state"}
    facts = standing.token
    return {name: getattr(standing, name) for name in names} | {
        "kind": standing.kind.value,
        "state": standing.state.value,
        "authorities": list(view.authorities),
        "token": None
        if facts is None
        else {name: getattr(facts, name) for name in TokenOut.model_fields if name != "mechanisms"}
        | {"mechanisms": list(facts.mechanisms)},
    }


def _probe_out(probe: Probe) -> ProbeOut:
    return ProbeOut.model_validate(probe, from_attributes=True)


@door.route("GET", "", Permission.AUTHORITY_READ)
def list_vaults(who: Who, using: Using) -> list[VaultOut]:
    """List the vaults with their health and whose keys they have."""
    return [VaultOut.model_validate(_vault_out(one)) for one in using.vaults.all(who)]


@door.route("GET", "/{name}", Permission.AUTHORITY_READ)
def show_vault(who: Who, using: Using, name: str) -> VaultShownOut:
    """Show a vault and the keys on its token."""
    view = using.vaults.show(who, name)
    keys = (
        None
        if view.keys is None
        else [
            {
                "label": key.label,
                "object_id": key.object_id,
                "kind": key.kind,
                "key_id": key.key_id,
                "attributes": list(key.attributes),
            }
            for key in view.keys
        ]
    )
    return VaultShownOut.model_validate(_vault_out(view) | {"keys": keys})


@door.route("POST", "/{name}/test", Permission.AUTHORITY_MANAGE)
def test_vault(who: Who, using: Using, name: str) -> list[ProbeOut]:
    """Try all that signing needs, with keys made for it and destroyed again."""
    return [_probe_out(one) for one in using.vaults.test(who, name)]


@signer.route("POST", "/self-test", Permission.AUTHORITY_MANAGE)
def self_test(who: Who, using: Using) -> list[ProbeOut]:
    """Run the signer's known-answer tests; in approved mode one that fails ends all signing."""
    return [_probe_out(one) for one in using.vaults.self_test(who)]
