"""A process that trains one run and leaves: `python -m rnnscope.sweeps.worker`.

It is told its work in one line of JSON on standard input, and says on standard output, in one line, what went wrong.
When standard input closes, whoever started it is gone, and it goes too; its checkpoint stays.
"""

import json
import os
import sys
import threading

from rnnscope.exceptions import RnnscopeError


def main() -> int:
    work = json.loads(sys.stdin.readline())
    threading.Thread(target=_leave_with_the_parent, daemon=True).start()
    from rnnscope.sweeps.work import train_point

    try:
        train_point(work["point"], work["folder"])
    except RnnscopeError as error:
        print(" ".join(str(error).split()), flush=True)
        return 1
    return 0


def _leave_with_the_parent() -> None:
    sys.stdin.read()
    os._exit(3)


if __name__ == "__main__":
    # At once, since the thread that waits for standard input would hold up an orderly end.
    status = main()
    sys.stdout.flush()
    os._exit(status)
