"""The ``chancery`` command: parse, run, and turn every ending into an exit code."""

import os
import sys
import traceback
from collections.abc import Sequence

from cyclopts import CycloptsError

from chancery.cli.application import build
from chancery.cli.failures import INTERRUPTED, OK, UNEXPECTED, report
from chancery.domain.errors import BadRequest, CAError


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command line (the process's own by default) and return its exit code."""
    tokens = list(sys.argv[1:] if argv is None else argv)
    as_json = "--json" in tokens
    try:
        result = build()(tokens, exit_on_error=False, print_error=False)
        sys.stdout.flush()
    except CycloptsError as error:
        return report(_usage(error), as_json=as_json)
    except CAError as error:
        return report(error, as_json=as_json)
    except KeyboardInterrupt:
        print(file=sys.stderr)
        return INTERRUPTED
    except BrokenPipeError:
        # The reader (head, say) has seen enough.  Python would complain once
        # more when it flushes at exit, so give it somewhere to flush to.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return OK
    except Exception as error:  # noqa: BLE001 - the last place that can say it in one line
        return _unexpected(error)
    return result if isinstance(result, int) else OK


def _usage(error: CycloptsError) -> CAError:
    where = " ".join(("chancery", *(error.command_chain or ())))
    return BadRequest(str(error).strip(), rule="usage", remedy=f"see `{where} --help`")


def _unexpected(error: Exception) -> int:
    if os.environ.get("CHANCERY_DEBUG"):
        traceback.print_exception(error)
    print(
        f"error: unexpected {type(error).__name__}: {ascii(str(error))[1:-1]}"
        " — this is a bug; CHANCERY_DEBUG=1 shows where",
        file=sys.stderr,
    )
    return UNEXPECTED


if __name__ == "__main__":
    sys.exit(main())
