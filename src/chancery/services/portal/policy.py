"""What strangers are allowed, as numbers."""

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Rate:
    """*burst* at once, then *per_hour* as time goes by."""

    burst: int
    per_hour: int


@dataclass(frozen=True, slots=True)
class PortalPolicy:
    """What ``chancery.app`` makes of the section ``portal`` of the settings.

    Rates count per network address and worker process.  *proof_of_work* is
    the number of leading zero bits that a stamp must have, 0: none is asked.
    *key_window_s*: how long a key that was made here can still be fetched
    with a code after it was fetched first.  *server_keys*: whether keys are
    made for them at all.
    """

    open: bool = True
    files: int = 50
    submissions: Rate = field(default_factory=lambda: Rate(200, 1200))
    checks: Rate = field(default_factory=lambda: Rate(300, 3600))
    codes: Rate = field(default_factory=lambda: Rate(30, 360))
    proof_of_work: int = 0
    challenge_s: int = 15 * 60
    key_window_s: int = 60 * 60
    server_keys: bool = True
