"""Questions to people at the terminal.  What is secret is not shown, and never an argument."""

import getpass
import sys
from pathlib import Path
from typing import Final

from chancery.cli import files
from chancery.domain.custody import ShareSet, Standing
from chancery.domain.errors import BadRequest, CAError
from chancery.wire import custody

_MAX_SHARE: Final = 8 * 1_024  # octets of a file with one share, its paper included
_TRIES: Final = 3


class Terminal:
    """Asks on the terminal; where there is none, lines of standard input are the answers."""

    def tell(self, text: str = "") -> None:
        print(text, file=sys.stderr, flush=True)

    def ask(self, question: str) -> str:
        print(f"{question}: ", end="", file=sys.stderr, flush=True)
        return self._line(question)

    def secret(self, question: str) -> str:
        if sys.stdin.isatty():
            return getpass.getpass(f"{question} (not shown): ").strip()
        return self._line(question)

    def share(self, question: str) -> str:
        """A share's words: typed, or ``@FILE`` of a file with them or their paper."""
        text = self.secret(f"{question}, or @FILE")
        if text.startswith("@"):
            data = files.read(Path(text[1:]), _MAX_SHARE, "shares.length")
            if data.startswith((b"-----BEGIN AGE", b"age-encryption.org")):
                raise BadRequest(
                    f"{text[1:]} is encrypted to its custodian",
                    field="share",
                    rule="shares.encrypted",
                    remedy=f"the custodian opens it: age -d -i KEY {text[1:]}",
                )
            try:
                text = data.decode()
            except UnicodeDecodeError as error:
                raise BadRequest("a share is words", field="share", rule="shares.word") from error
        return custody.words_of(text)

    def shares(self, share_set: ShareSet) -> list[str]:
        """As many shares of a set as open it: each judged at once, a wrong one asked for again."""
        given: dict[str, str] = {}
        failures = 0
        self.tell(
            f"Set {share_set.id} ({share_set.purpose}): {share_set.threshold} of "
            f"{', '.join(one.name for one in share_set.holders)}."
        )
        while missing := Standing(share_set, tuple(given)).missing:
            try:
                text = self.share(f"Share, {missing} more needed")
                holder, words = custody.recognise(share_set, text, place=len(given) + 1)
                if holder.name in given:
                    raise BadRequest(f"{holder.name} has given a share already", field="share")
            except CAError as error:
                failures += 1
                if failures >= _TRIES:
                    raise
                self.tell(f"Not taken: {error}" + (f"; {error.remedy}" if error.remedy else ""))
                continue
            given[holder.name] = words
            self.tell(f"Taken: share {holder.number}, {holder.name}.")
        return list(given.values())

    def _line(self, question: str) -> str:
        line = sys.stdin.readline()
        if not line:
            raise BadRequest(
                f"nobody answered: {question}",
                field="stdin",
                rule="conversation.end",
                remedy="run it on a terminal, or give one line for each question",
            )
        return line.strip()
