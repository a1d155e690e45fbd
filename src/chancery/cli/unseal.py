"""``chancery unseal``: a custodian gives a share to the signer that waits for it."""

from typing import Annotated, Any

from cyclopts import Parameter

from chancery.cli import output
from chancery.cli.instance import AsJson, Config


def unseal(
    *,
    config: Config,
    status: Annotated[bool, Parameter(help="Only say who has given a share.")] = False,
    forget: Annotated[bool, Parameter(help="Have the shares given so far forgotten.")] = False,
    as_json: AsJson = False,
) -> None:
    """Give one share to a server that starts sealed; the last one that is needed opens it.

    Run as the account of the service, on its machine.  The share is asked for
    and not shown, or is one line of standard input.
    """
    from chancery.app import custody  # noqa: PLC0415 - loads the settings
    from chancery.cli.conversation import Terminal  # noqa: PLC0415

    if status:
        found = custody.standing(config)
        output.show(found or {"sealed": False}, as_json=as_json, human=_told)
        return
    if forget:
        output.show(custody.forget_shares(config), as_json=as_json, human=_told)
        return
    custody.demand_sealed(config)
    words = Terminal().share("Your share")
    output.show(custody.give_share(config, words), as_json=as_json, human=_told)


def _told(found: dict[str, Any]) -> None:
    if not found["sealed"]:
        output.line("unsealed" if "set" in found else "nothing waits for shares here")
        return
    if found.get("taken"):
        output.line(f"taken: the share of {found['taken']}")
    given = ", ".join(found["given"]) or "nobody yet"
    rest = ", ".join(name for name in found["holders"] if name not in found["given"])
    output.line(f"sealed: {found['missing']} more needed; given by {given}; still to come: {rest}")
