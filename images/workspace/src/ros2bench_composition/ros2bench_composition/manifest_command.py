"""`ros2bench-component-manifest PACKAGE …`: lists the components of an image, while it is built."""

import argparse
import hashlib
import importlib.util
import inspect
import json
import sys
from collections.abc import Callable, Mapping, Sequence
from importlib import import_module
from pathlib import Path
from typing import Any

from rclpy.node import Node

from ros2bench_composition.hosted_node import takes_options
from ros2bench_composition.manifest import CONTRACT, parse_manifest
from ros2bench_composition.parameter_types import type_of
from ros2bench_composition.refusal import Refusal

EXIT_USAGE = 2
# What every node of rclpy has.
COMMON_TYPES = {'use_sim_time': 'bool'}


class ManifestError(ValueError):
    """A package that cannot be listed; the text says what is wrong with it."""


def files(folder: Path) -> dict[str, str]:
    """SHA-256 of every module in a package's folder, by its real path."""
    real = folder.resolve()
    return {
        str(path): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(real.rglob('*.py'))
    }


def module_names(package: str, folder: Path) -> list[str]:
    """Names of the modules of a package, `__main__` left out because importing it would run it."""
    names = []
    for path in sorted(folder.rglob('*.py')):
        parts = path.relative_to(folder).with_suffix('').parts
        inner = parts[:-1] if parts[-1] == '__init__' else parts
        names.append('.'.join((package, *inner)))
    return [name for name in names if not name.endswith('.__main__')]


def components(
    package: str, names: Sequence[str], load: Callable[[str], Any] = import_module
) -> list[dict[str, Any]]:
    """Every class of a package that a container can load, with the types of its parameters.

    Args:
        package: the ROS package; its Python package has the same name.
        names: its modules.
        load: imports a module.
    """
    described = f'{package}.parameters'
    rules = getattr(load(described), 'RULES', {}) if described in names else {}
    found = []
    for name in names:
        for value in vars(load(name)).values():
            if inspect.isclass(value) and value.__module__ == name and is_component(value):
                kind = name.rpartition('.')[2]
                found.append(
                    {
                        'package': package,
                        'plugin': f'{name}.{value.__name__}',
                        'parameters': types(rules[kind]) if kind in rules else None,
                    }
                )
    return sorted(found, key=lambda item: item['plugin'])


def is_component(value: Any) -> bool:
    """Whether a class is a node that can be made inside somebody else's context."""
    is_public = not value.__name__.startswith('_')
    return is_public and issubclass(value, Node) and value is not Node and takes_options(value)


def types(rules: Mapping[str, Any]) -> dict[str, str]:
    """Types of a node's parameters, read from their defaults."""
    return COMMON_TYPES | {name: type_of(rule.default) or 'string' for name, rule in rules.items()}


def manifest(packages: Sequence[str]) -> bytes:
    """The manifest of packages: the same bytes for the same files.

    Raises:
        ManifestError: there is no such package, or it holds no component.
    """
    listed: list[dict[str, Any]] = []
    digests: dict[str, str] = {}
    for package in dict.fromkeys(packages):
        spec = importlib.util.find_spec(package)
        if spec is None or not spec.submodule_search_locations:
            raise ManifestError(f'There is no Python package {package} on the search path.')
        folder = Path(spec.submodule_search_locations[0])
        own = components(package, module_names(package, folder))
        if not own:
            raise ManifestError(
                f'{package} holds no component: a class that inherits from rclpy.node.Node and '
                f'whose __init__ takes **options and needs nothing else.'
            )
        listed += own
        digests.update(files(folder))
    content = {'contract': CONTRACT, 'components': listed, 'files': digests}
    document = (json.dumps(content, indent=1, sort_keys=True) + '\n').encode()
    parse_manifest(document)
    return document


def main() -> int:
    """Write the manifest to standard output or a file."""
    parser = argparse.ArgumentParser(prog='ros2bench-component-manifest', description=__doc__)
    parser.add_argument('packages', nargs='+', metavar='PACKAGE')
    parser.add_argument('--output', type=Path, help='file to write instead of standard output')
    arguments = parser.parse_args()
    try:
        document = manifest(arguments.packages)
    except (ManifestError, Refusal) as error:
        print(f'ros2bench-component-manifest: {error}', file=sys.stderr)
        return EXIT_USAGE
    if arguments.output is None:
        sys.stdout.buffer.write(document)
        return 0
    arguments.output.parent.mkdir(parents=True, exist_ok=True)
    arguments.output.write_bytes(document)
    return 0


if __name__ == '__main__':
    sys.exit(main())
