"""``python -m chancery.app.child MODULE WORD...``: run MODULE as one of the supervisor's processes.

Loading makes many objects and no garbage, so the collector rests meanwhile; and
structlog would load rich to draw on terminals, where these write lines of JSON
(7 MiB and 60 ms in each process).  One that was started early loads all it
needs, then waits for its turn: until its standard input ends.
"""

import gc
import sys
from importlib import import_module


def main() -> int:
    module, *words = sys.argv[1:]
    gc.disable()
    sys.modules.setdefault("rich", None)  # type: ignore[arg-type] # importing it fails from here on
    run = import_module(module).main
    gc.freeze()
    gc.enable()
    sys.stdin.buffer.read()
    sys.argv = [module, *words]
    return int(run())


if __name__ == "__main__":
    sys.exit(main())
