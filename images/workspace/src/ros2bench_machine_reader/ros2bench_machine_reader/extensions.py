"""Which modules of this package add sources and calls; each is one line here."""

import importlib
from collections.abc import Sequence
from types import ModuleType

from ros2bench_machine_reader.configuration import Configuration
from ros2bench_machine_reader.routing import Extension
from ros2bench_machine_reader.sources import Absent, Source

SOURCE_MODULES = ('power',)
ROUTE_MODULES = (
    'container_starts', 'containerd_images', 'network_partner', 'network_probe', 'network_faults',
)  # fmt: skip


def open_sources(configuration: Configuration) -> Sequence[Source | Absent]:
    """Sources of all modules, and the kinds that this machine does not offer."""
    found: list[Source | Absent] = []
    for name in SOURCE_MODULES:
        found.extend(_module(name).open_sources(configuration))
    return found


def extensions(configuration: Configuration) -> Sequence[Extension]:
    """What all modules add to the calls."""
    return [_module(name).extension(configuration) for name in ROUTE_MODULES]


def _module(name: str) -> ModuleType:
    return importlib.import_module(f'{__package__}.{name}')
