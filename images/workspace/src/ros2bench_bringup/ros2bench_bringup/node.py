"""`ros2bench-node NAME …`: becomes one node of the reference application."""

import sys
from importlib.metadata import PackageNotFoundError, distribution

EXIT_USAGE = 2
PACKAGE = 'ros2bench_nodes'


def main() -> int:
    """Run the executable NAME of the nodes' package with the remaining arguments."""
    try:
        executables = {
            entry.name: entry
            for entry in distribution(PACKAGE).entry_points
            if entry.group == 'console_scripts'
        }
    except PackageNotFoundError:
        executables = {}
    name = sys.argv[1] if len(sys.argv) > 1 else ''
    if name not in executables:
        choices = ', '.join(sorted(executables)) or 'none, the package is not in this image'
        print(f'ros2bench-node: there is no node "{name}"; choices: {choices}.', file=sys.stderr)
        return EXIT_USAGE
    sys.argv = [name, *sys.argv[2:]]
    return executables[name].load()()


if __name__ == '__main__':
    sys.exit(main())
