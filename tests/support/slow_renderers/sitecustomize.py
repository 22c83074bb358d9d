"""Makes renderers slow without using CPU time: each sleeps after every few milliseconds of work, so a render lasts.

Python imports this module at the start of each process that has this folder in PYTHONPATH. A renderer is slow while the
file named by SLOW_WHILE_EXISTS exists.
"""

import os
import select
import signal
import sys
from pathlib import Path

WORK_S = 0.002  # of CPU time
SLEEP_S = 0.2


def sleep(*_: object) -> None:
    has_imported = hasattr(sys.modules["__main__"], "main")  # the imports take most of the CPU time of a small render
    if has_imported and Path(os.environ["SLOW_WHILE_EXISTS"]).exists():
        select.select((), (), (), SLEEP_S)  # time.sleep fails under libfaketime 0.9.10


if "services.backends.text.child" in sys.orig_argv:
    signal.signal(signal.SIGVTALRM, sleep)
    signal.setitimer(signal.ITIMER_VIRTUAL, WORK_S, WORK_S)
