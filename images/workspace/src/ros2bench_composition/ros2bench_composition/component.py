"""What is loaded: a value, and the names that it may have. Needs no ROS."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from ros2bench_composition.refusal import Refusal

NODE = re.compile(r'[A-Za-z_][A-Za-z0-9_]{0,254}')
NAMESPACE = re.compile(r'(/[A-Za-z_][A-Za-z0-9_]*)+')
PLUGIN = re.compile(r'[A-Za-z_]\w*(\.[A-Za-z_]\w*)+', re.ASCII)
PACKAGE = re.compile(r'[a-z][a-z0-9_]*')
# One side of a remap rule: a topic or service, relative, absolute or private; never __node, __ns.
REMAPPED = r'(?:~/|/)?(?!__)[A-Za-z_][A-Za-z0-9_]*(?:/(?!__)[A-Za-z_][A-Za-z0-9_]*)*'
REMAP = re.compile(f'{REMAPPED}:={REMAPPED}')
LOG_LEVELS = (0, 10, 20, 30, 40, 50)


@dataclass(frozen=True)
class Component:
    """One node to load.

    Attributes:
        node: name of the node.
        package: ROS package of its class.
        plugin: dotted path of its class.
        parameters: values by name: bool, int, float, str or a list of one of them.
        namespace: namespace, `/` or `/a/b`.
        remap: rules `FROM:=TO`.
        log_level: value of rcl_interfaces/Log, 0 leaves it as it is.
    """

    node: str
    package: str
    plugin: str
    parameters: Mapping[str, Any] = field(default_factory=dict)
    namespace: str = '/'
    remap: Sequence[str] = ()
    log_level: int = 0

    @property
    def full_name(self) -> str:
        """Name with namespace."""
        return f'{self.namespace.rstrip("/")}/{self.node}'

    @property
    def module(self) -> str:
        """Module of the class."""
        return self.plugin.rpartition('.')[0]

    def content(self) -> dict[str, Any]:
        """The component as JSON holds it."""
        return {
            'node': self.node,
            'package': self.package,
            'plugin': self.plugin,
            'parameters': dict(self.parameters),
            'namespace': self.namespace,
            'remap': list(self.remap),
            'log_level': self.log_level,
        }


KEYS = frozenset(Component('', '', '').content())


def parse_component(content: Any, where: str) -> Component:
    """Read a component from JSON.

    Args:
        content: an object with `node`, `package`, `plugin` and what else a `Component` has.
        where: its key in the file, for messages.

    Raises:
        Refusal: it is no component or one of its names is not allowed.
    """
    if not isinstance(content, dict):
        raise Refusal('malformed', f'{where} must be an object.')
    unknown = sorted(content.keys() - KEYS)
    if unknown:
        raise Refusal('malformed', f'{where} has unknown keys {unknown}; choices: {sorted(KEYS)}.')
    parameters, remap = content.get('parameters', {}), content.get('remap', [])
    texts = [content.get(key) for key in ('node', 'package', 'plugin')]
    texts.append(content.get('namespace', '/'))
    log_level = content.get('log_level', 0)
    if not all(isinstance(text, str) for text in texts):
        raise Refusal('malformed', f'{where} must have the texts node, package and plugin.')
    if not isinstance(parameters, dict) or not isinstance(remap, list):
        raise Refusal('malformed', f'{where}.parameters must be an object, .remap a list.')
    if isinstance(log_level, bool) or not isinstance(log_level, int):
        raise Refusal('malformed', f'{where}.log_level must be a whole number.')
    node, package, plugin, namespace = texts
    component = Component(
        node=node,
        package=package,
        plugin=plugin,
        parameters=parameters,
        namespace=namespace,
        remap=tuple(remap),
        log_level=log_level,
    )
    check_names(component)
    return component


def check_names(component: Component) -> None:
    """Refuse names that are no names of ROS or Python, such as paths and options.

    Raises:
        Refusal: `path_traversal` or `bad_name`.
    """
    for value, what in ((component.package, 'package'), (component.plugin, 'plugin')):
        if '/' in value or '\\' in value or '..' in value:
            raise Refusal('path_traversal', f'The {what} {value!r} is a path, not a name.')
    _match(PACKAGE, component.package, 'package', 'ros2bench_nodes')
    _match(PLUGIN, component.plugin, 'plugin', 'ros2bench_nodes.camera.Camera')
    _match(NODE, component.node, 'node name', 'camera')
    if component.namespace != '/':
        _match(NAMESPACE, component.namespace, 'namespace', '/ or /left/arm')
    for rule in component.remap:
        _match(REMAP, rule, 'remap rule', '/frames:=/left/frames (never __node, __ns)')
    if component.log_level not in LOG_LEVELS:
        raise Refusal('bad_name', f'The log level is {component.log_level}; choices: {LOG_LEVELS}.')


def _match(pattern: re.Pattern[str], value: Any, what: str, example: str) -> None:
    if not isinstance(value, str) or not pattern.fullmatch(value):
        raise Refusal('bad_name', f'The {what} is {value!r} but must look like {example}.')
