"""Makes a node of a component, keeps it turning, and says how it is."""

import inspect
import time
from collections.abc import Callable
from importlib import import_module
from typing import Any

from rclpy.clock import Clock, ClockType
from rclpy.context import Context
from rclpy.logging import LoggingSeverity
from rclpy.node import Node
from rclpy.parameter import Parameter

from ros2bench_composition.component import Component
from ros2bench_composition.refusal import ModuleRefused, Refusal

BEAT_PERIOD_S = 1.0
SILENCE_LIMIT_S = 10.0
OPTIONS = frozenset({'context', 'parameter_overrides', 'cli_args'})


class Heartbeat:
    """Health of a node that has none of its own: whether its executor turns."""

    def __init__(self, node: Node, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._last_s = clock()
        # Steady: a node on simulated time must not look dead when the simulation is paused.
        steady = Clock(clock_type=ClockType.STEADY_TIME)
        node.create_timer(BEAT_PERIOD_S, self._beat, clock=steady)

    def _beat(self) -> None:
        self._last_s = self._clock()

    def answer(self, path: str) -> tuple[int, str]:
        """Status and sentence for a path."""
        silence_s = self._clock() - self._last_s
        if path != '/startz' and silence_s > SILENCE_LIMIT_S:
            return 503, f'executor turned {silence_s:.1f} s ago'
        return 200, ''


def resolve(component: Component) -> Any:
    """The class of a component, imported under the guard.

    Raises:
        Refusal: the module is refused or breaks, or the class is none that can be loaded.
    """
    module_name, _, class_name = component.plugin.rpartition('.')
    try:
        found = getattr(import_module(module_name), class_name, None)
    except ModuleRefused as error:
        raise error.refusal from error
    except Exception as error:
        raise Refusal(
            'load_failed', f'{module_name} cannot be imported: {type(error).__name__}: {error}'
        ) from error
    if not inspect.isclass(found) or not issubclass(found, Node):
        raise Refusal('not_a_node', f'{component.plugin} is no class of rclpy nodes.')
    if not takes_options(found):
        raise Refusal(
            'not_composable',
            f'{component.plugin} takes no node options: let its __init__ take **options and hand '
            f'them to Node.__init__.',
        )
    return found


def takes_options(node_class: Any) -> bool:
    """Whether a node class can be made inside somebody else's context."""
    parameters = inspect.signature(node_class).parameters.values()
    required = [
        p
        for p in parameters
        if p.default is p.empty and p.kind not in {p.VAR_KEYWORD, p.VAR_POSITIONAL}
    ]
    takes_any = any(p.kind is p.VAR_KEYWORD for p in parameters)
    return not required and (takes_any or {p.name for p in parameters} >= OPTIONS)


def make_node(component: Component, context: Context) -> Node:
    """Make the node; it does not turn yet.

    Raises:
        Refusal: its class cannot be loaded or refuses to be made.
    """
    node_class = resolve(component)
    renamed = ['-r', f'__node:={component.node}', '-r', f'__ns:={component.namespace}']
    remapped = [word for rule in component.remap for word in ('-r', rule)]
    try:
        node = node_class(
            context=context,
            cli_args=['--ros-args', *renamed, *remapped],
            parameter_overrides=[
                Parameter(name, value=value) for name, value in component.parameters.items()
            ],
        )
    except ModuleRefused as error:
        raise error.refusal from error
    except Exception as error:
        raise Refusal(
            'load_failed', f'{component.plugin} cannot be made: {type(error).__name__}: {error}'
        ) from error
    if component.log_level:
        node.get_logger().set_level(LoggingSeverity(component.log_level))
    return node


def health_of(node: Node) -> Callable[[str], tuple[int, str]]:
    """How to ask a node for its health: its own, where it has one."""
    own = getattr(getattr(node, 'health', None), 'answer', None)
    if not callable(own):
        return Heartbeat(node).answer

    def answer(path: str) -> tuple[int, str]:
        status, sentence = own(path)
        return status, '' if status == 200 else sentence

    return answer
