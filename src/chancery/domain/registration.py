"""Registration authorities and approval groups."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class RegistrationAuthority:
    """Who may submit what to which CA, and who decides.

    *approval_group* names a group whose members with the role ``ra-officer``
    may decide.  *submit_group*, where given, names the only group whose
    members may submit.  *request_lifetime_s*: an undecided request then
    expires.
    """

    name: str
    profiles: tuple[str, ...]
    authorities: tuple[str, ...]  # the first is the default issuer
    approval_group: str
    approvals: int
    anonymous: bool
    request_lifetime_s: int = 30 * 86_400
    max_pending: int = 10_000
    submit_group: str | None = None
    description: str = ""
