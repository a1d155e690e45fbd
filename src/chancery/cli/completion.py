"""``chancery completion``: let the shell finish the words."""

from typing import Annotated, Literal

from cyclopts import Parameter


def completion(
    shell: Annotated[Literal["bash", "zsh", "fish"], Parameter(help="Which shell.")], /
) -> None:
    """Print the completion script of a shell."""
    from chancery.cli.application import build  # noqa: PLC0415 - only here is the whole tree needed

    print(build().generate_completion(shell=shell))
