"""Uses a given share of one processor core, by its own processor clock: the truth that cpu_cores is held against.

    python3 cpu_load.py 0.25

Works in periods of 50 ms: computes until its processor time has caught up with the share of the time that has passed
since the start, then sleeps until the next period. Start-up counts too, so the share holds from the first second on.
Prints, once a second, what it has used. Python's standard library only: it runs in any image that has Python.
"""

import json
import sys
import time

PERIOD_S = 0.05
REPORT_S = 1.0


def main() -> None:
    """Work until the end of the pod."""
    share = float(sys.argv[1])
    if not 0 < share < 1:
        raise SystemExit(f"cpu_load.py: the share is {sys.argv[1]} but must be between 0 and 1.")
    began_s = time.monotonic()
    reported_s = began_s
    while True:
        now_s = time.monotonic()
        while time.process_time() < share * (now_s - began_s):
            sum(range(2000))
        if now_s - reported_s >= REPORT_S:
            reported_s = now_s
            used = {"share": time.process_time() / (now_s - began_s), "time_ns": time.time_ns()}
            sys.stdout.write(json.dumps({"cpu_load": used}) + "\n")
            sys.stdout.flush()
        time.sleep(max(0.0, PERIOD_S - (time.monotonic() - now_s)))


if __name__ == "__main__":
    main()
