"""`ros2bench-node [PACKAGE/]NAME …`: becomes one node of a package of the workspace."""

import sys
from collections.abc import Callable, Mapping
from importlib.metadata import PackageNotFoundError, distribution

from ros2bench_telemetry import json_lines

EXIT_USAGE = 2
DEFAULT_PACKAGE = 'ros2bench_nodes'


def main() -> int:
    """Run the executable NAME of a package with the remaining arguments."""
    wanted = sys.argv[1] if len(sys.argv) > 1 else ''
    package, _, name = wanted.rpartition('/')
    json_lines.install('node', node=json_lines.node_of(sys.argv) or name)
    executables = executables_of(package or DEFAULT_PACKAGE)
    if name not in executables:
        choices = ', '.join(sorted(executables)) or 'none, the package is not in this image'
        print(
            f'ros2bench-node: there is no node "{name}" in {package or DEFAULT_PACKAGE}; '
            f'choices: {choices}.',
            file=sys.stderr,
        )
        return EXIT_USAGE
    sys.argv = [name, *sys.argv[2:]]
    return executables[name]()()


def executables_of(package: str) -> Mapping[str, Callable[[], Callable[[], int]]]:
    """What loads each executable of a package, by name; nothing where there is no such package."""
    try:
        entries = distribution(package).entry_points
    except PackageNotFoundError:
        return {}
    return {entry.name: entry.load for entry in entries if entry.group == 'console_scripts'}


if __name__ == '__main__':
    sys.exit(main())
