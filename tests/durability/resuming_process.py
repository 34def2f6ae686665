"""Stays ready to resume: each line on standard input, seconds, makes a process that does what `probes.resume` does.

It is killed by SIGKILL when the seconds are over; a negative number lets it come to its end. The answer is a line with
the exit code (-9: killed) and the seconds that it lived.
"""

import os
import signal
import sys
import time

from probes.resume import needs_resuming, resume_run
from probes.spool import Spool


def main() -> None:
    """Serve until the input ends."""
    for line in sys.stdin:
        limit_s, began_s = float(line), time.monotonic()
        process = os.fork()
        if process == 0:
            codes = [resume_run(folder, None).code for folder in filter(needs_resuming, Spool().runs())]
            os._exit(max(codes, default=0))
        if limit_s >= 0:
            time.sleep(limit_s)
            os.kill(process, signal.SIGKILL)
        _, status = os.waitpid(process, 0)
        sys.stdout.write(f"{os.waitstatus_to_exitcode(status)} {time.monotonic() - began_s}\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
