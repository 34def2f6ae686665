"""Requests as they arrive, and what of them is signed. Needs no ROS."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from ros2bench_composition.component import Component
from ros2bench_composition.limits import check_size
from ros2bench_composition.refusal import Refusal

EXTRA = ('ros2bench.nonce', 'ros2bench.time_ns', 'ros2bench.signature')


@dataclass(frozen=True)
class LoadRequest:
    """A load request, unchecked; parameters and extra arguments are pairs of name and value."""

    package: str
    plugin: str
    node: str
    namespace: str = ''
    log_level: int = 0
    remap: Sequence[str] = ()
    parameters: Sequence[tuple[str, Any]] = ()
    extra: Sequence[tuple[str, Any]] = ()

    def check_size(self) -> None:
        """Refuse what is too large to be read further.

        Raises:
            Refusal: `oversize`.
        """
        texts = [self.package, self.plugin, self.node, self.namespace, *self.remap]
        pairs = [*self.parameters, *self.extra]
        characters = sum(map(len, texts)) + sum(len(n) + _characters(v) for n, v in pairs)
        check_size(len(pairs), len(self.remap), characters)

    def component(self) -> Component:
        """The component that is asked for; its names are not checked yet.

        Raises:
            Refusal: `bad_name`: a parameter is given twice.
        """
        return Component(
            node=self.node,
            package=self.package,
            plugin=self.plugin,
            parameters=_once(self.parameters, 'parameter'),
            namespace=self.namespace or '/',
            remap=tuple(self.remap),
            log_level=self.log_level,
        )

    def arguments(self) -> Mapping[str, Any]:
        """The extra arguments.

        Raises:
            Refusal: `extra_argument`: one that this container does not know, an environment
                variable for example.
        """
        arguments = _once(self.extra, 'extra argument')
        unknown = sorted(arguments.keys() - set(EXTRA))
        if unknown:
            raise Refusal(
                'extra_argument',
                f'The extra arguments {unknown} mean nothing here; choices: {", ".join(EXTRA)}. '
                f'Environment, search paths and commands cannot be given by a request.',
            )
        return arguments

    def signed(self, container: str) -> dict[str, Any]:
        """What the caller has signed.

        Raises:
            Refusal: see `arguments` and `component`.
        """
        arguments = self.arguments()
        return {
            'call': 'load',
            'container': container,
            'package': self.package,
            'plugin': self.plugin,
            'node': self.node,
            'namespace': self.namespace,
            'remap': list(self.remap),
            'parameters': dict(self.component().parameters),
            'log_level': self.log_level,
            'nonce': arguments.get(EXTRA[0]),
            'time_ns': arguments.get(EXTRA[1]),
        }


@dataclass(frozen=True)
class UnloadRequest:
    """An unload request, unchecked; the standard one has no signature."""

    unique_id: int
    nonce: str = ''
    time_ns: int = 0
    signature: str = field(default='', repr=False)

    def signed(self, container: str) -> dict[str, Any]:
        """What the caller has signed."""
        return {
            'call': 'unload',
            'container': container,
            'unique_id': self.unique_id,
            'nonce': self.nonce,
            'time_ns': self.time_ns,
        }


def _once(pairs: Sequence[tuple[str, Any]], what: str) -> dict[str, Any]:
    names = [name for name, _ in pairs]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise Refusal('bad_name', f'The {what} {twice[0]!r} is given twice.')
    return dict(pairs)


def _characters(value: Any) -> int:
    if isinstance(value, list):
        return sum(map(_characters, value))
    return len(value) if isinstance(value, (str, bytes)) else 1
