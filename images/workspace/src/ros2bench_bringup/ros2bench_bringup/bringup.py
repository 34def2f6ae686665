"""`ros2bench-bringup FILE`: runs several node processes as one container."""

import os
import sys
from pathlib import Path

from ros2bench_bringup.health import joint_state
from ros2bench_bringup.health_server import listen, serve
from ros2bench_bringup.plan import PlanError, read_plan
from ros2bench_bringup.supervisor import supervise
from ros2bench_telemetry import json_lines

EXIT_USAGE = 2


def main() -> int:
    """Read the plan, serve the joint health, supervise."""
    json_lines.install('bringup')
    if len(sys.argv) != 2:
        print('usage: ros2bench-bringup /etc/ros2bench/bringup.json', file=sys.stderr)
        return EXIT_USAGE
    try:
        plan = read_plan(Path(sys.argv[1]))
        server = listen(plan.port, lambda path: joint_state(plan.processes, path))
    except PlanError as error:
        print(f'ros2bench-bringup: {error}', file=sys.stderr)
        return EXIT_USAGE
    except OSError as error:
        print(
            f'ros2bench-bringup: port {plan.port} cannot be used: {error.strerror}.',
            file=sys.stderr,
        )
        return EXIT_USAGE
    return supervise(
        plan.processes, os.environ, on_started=lambda: serve(server) if server else None
    )


if __name__ == '__main__':
    sys.exit(main())
