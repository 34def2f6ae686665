"""Passes calls on to component containers, with a ROS participant that soon goes away again.

The recorder's own participant keeps draining meanwhile. ROS is imported only when a call is made,
so that a recorder image without the packages of composition still records.
"""

import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

DISCOVERY_LIMIT_S = 10.0
ANSWER_LIMIT_S = 10.0
ALIVE_LIMIT_S = 1.0
LOAD_LIMIT_S = 120.0
# Discovery takes up to seconds: the calls of one swap must not wait for it one after the other.
LINGER_S = 10.0
POLL_S = 0.02
CALLS = ('list', 'load', 'unload')
TEXTS = frozenset({'container', 'package', 'plugin', 'node', 'namespace', 'nonce', 'signature'})
NUMBERS = frozenset({'unique_id', 'time_ns', 'log_level'})
KEYS: Mapping[str, tuple[frozenset[str], frozenset[str]]] = {
    'list': (frozenset({'container'}), frozenset()),
    'load': (
        frozenset({'container', 'package', 'plugin', 'node'}),
        frozenset(
            {'namespace', 'remap', 'parameters', 'log_level', 'nonce', 'time_ns', 'signature'}
        ),
    ),
    'unload': (
        frozenset({'container', 'unique_id'}),
        frozenset({'nonce', 'time_ns', 'signature'}),
    ),
}


class RelayError(Exception):
    """A call that could not be passed on; `status` is the HTTP status."""

    def __init__(self, status: int, sentence: str) -> None:
        super().__init__(sentence)
        self.status = status


class Connection(Protocol):
    """A way to the services of one container."""

    def call(self, service: str, content: Mapping[str, Any]) -> Mapping[str, Any]:
        """Make one call and give its answer.

        Raises:
            RelayError: nobody answers in time.
        """
        ...

    def is_alive(self) -> bool:
        """Whether the container still answers; one that was killed is believed in for a while."""
        ...

    def close(self) -> None:
        """Leave the ROS domain."""
        ...


@dataclass(frozen=True)
class Call:
    """One call, its fields checked for their types only: the container decides about them."""

    name: str
    container: str
    content: Mapping[str, Any]


def parse_call(name: str, content: Any) -> Call:
    """Read the body of a request.

    Raises:
        RelayError: a field is missing, unknown or of a wrong type.
    """
    if name not in CALLS:
        raise RelayError(404, f'there is no call {name!r}; choices: {", ".join(CALLS)}')
    required, optional = KEYS[name]
    if not isinstance(content, dict):
        raise RelayError(400, f'the body must be an object with {", ".join(sorted(required))}')
    missing, unknown = required - content.keys(), content.keys() - required - optional
    if missing or unknown:
        raise RelayError(
            400,
            f'missing: {sorted(missing)}, unknown: {sorted(unknown)}; '
            f'choices: {", ".join(sorted(required | optional))}',
        )
    for key, value in content.items():
        if not _is_right(key, value):
            raise RelayError(400, f'{key} is {value!r}, which it cannot be')
    if not content['container'].startswith('/'):
        raise RelayError(400, f'container is {content["container"]!r} but must begin with /')
    return Call(name, content['container'], content)


def _is_right(key: str, value: Any) -> bool:
    if key in TEXTS:
        return isinstance(value, str)
    if key in NUMBERS:
        return type(value) is int and 0 <= value < 2**63
    if key == 'remap':
        return isinstance(value, list) and all(isinstance(item, str) for item in value)
    return isinstance(value, dict)


class Relay:
    """Passes calls on, one at a time; leaves the domain a while after the last one."""

    def __init__(self, connect: Callable[[str], Connection], linger_s: float = LINGER_S) -> None:
        """Pass calls on to where `connect` leads, given the full name of a container."""
        self._connect = connect
        self._linger_s = linger_s
        self._lock = threading.Lock()
        self._open: tuple[str, Connection] | None = None
        self._leaving: threading.Timer | None = None

    def answer(self, name: str, content: Any) -> dict[str, Any]:
        """Pass one call on and give the container's answer.

        Raises:
            RelayError: it could not be passed on.
        """
        call = parse_call(name, content)
        service = {'list': 'list_nodes', 'load': 'load_node', 'unload': 'unload_signed'}[name]
        if name == 'unload' and 'signature' not in call.content:
            service = 'unload_node'
        with self._lock:
            said = self._connection(call.container).call(service, call.content)
        if name == 'list':
            pairs = zip(said['unique_ids'], said['full_node_names'], strict=True)
            return {
                'components': [
                    {'unique_id': number, 'full_node_name': node} for number, node in pairs
                ]
            }
        return {
            'success': said['success'],
            'error_message': said['error_message'],
            'full_node_name': said.get('full_node_name', ''),
            'unique_id': said.get('unique_id', call.content.get('unique_id', 0)),
        }

    def _connection(self, container: str) -> Connection:
        if self._leaving is not None:
            self._leaving.cancel()
        if self._open is None or self._open[0] != container or not self._open[1].is_alive():
            self._leave()
            self._open = (container, self._connect(container))
        self._leaving = threading.Timer(self._linger_s, self.close)
        self._leaving.daemon = True
        self._leaving.start()
        return self._open[1]

    def _leave(self) -> None:
        if self._open is not None:
            self._open[1].close()
            self._open = None

    def close(self) -> None:
        """Leave the domain now; waits for a call that is on its way."""
        with self._lock:
            if self._leaving is not None:
                self._leaving.cancel()
            self._leave()


class RosConnection:
    """A participant with clients of one container's services."""

    def __init__(self, container: str) -> None:
        """Join the domain of this process.

        Raises:
            RelayError: this image lacks the packages of composition.
        """
        try:
            import rclpy  # noqa: PLC0415 (see the module)
            from rclpy.executors import SingleThreadedExecutor  # noqa: PLC0415
            from rclpy.signals import SignalHandlerOptions  # noqa: PLC0415

            from composition_interfaces import srv  # noqa: PLC0415
            from ros2bench_interfaces.srv import UnloadSigned  # noqa: PLC0415
        except ImportError as error:
            raise RelayError(
                501, f'this recorder image cannot speak to component containers ({error})'
            ) from error
        self._container = container
        types = {
            'list_nodes': srv.ListNodes,
            'load_node': srv.LoadNode,
            'unload_node': srv.UnloadNode,
            'unload_signed': UnloadSigned,
        }
        self._context = rclpy.Context()
        rclpy.init(context=self._context, args=[], signal_handler_options=SignalHandlerOptions.NO)
        self._node = rclpy.create_node(
            'ros2bench_relay',
            context=self._context,
            enable_rosout=False,
            start_parameter_services=False,
        )
        self._executor = SingleThreadedExecutor(context=self._context)
        self._executor.add_node(self._node)
        # All at once, so that none of them has to be discovered in the middle of a swap.
        self._clients = {
            service: self._node.create_client(kind, f'{container}/_container/{service}')
            for service, kind in types.items()
        }

    def call(self, service: str, content: Mapping[str, Any]) -> Mapping[str, Any]:
        """Make one call; see `Connection`."""
        name = f'{self._container}/_container/{service}'
        client = self._clients[service]
        end_s = time.monotonic() + DISCOVERY_LIMIT_S
        while not client.service_is_ready():
            if time.monotonic() > end_s:
                raise RelayError(
                    404,
                    f'nobody offers {name} in domain {self._context.get_domain_id()} after '
                    f'{DISCOVERY_LIMIT_S:g} s: is there a component container of that name, and '
                    f'does the recorder see its messages?',
                )
            time.sleep(POLL_S)
        limit_s = LOAD_LIMIT_S if service == 'load_node' else ANSWER_LIMIT_S
        said = self._said(client, _request(client.srv_type, service, content), limit_s)
        if said is None:
            raise RelayError(
                504,
                f'{name} has not answered within {limit_s:g} s: ask for the list to see whether '
                f'it obeyed, and read the log of the container.',
            )
        return _plain(said)

    def is_alive(self) -> bool:
        """Whether the container still answers; see `Connection`."""
        client = self._clients['list_nodes']
        return self._said(client, client.srv_type.Request(), ALIVE_LIMIT_S) is not None

    def _said(self, client: Any, request: Any, limit_s: float) -> Any:
        future = client.call_async(request)
        self._executor.spin_until_future_complete(future, timeout_sec=limit_s)
        return future.result() if future.done() else None

    def close(self) -> None:
        """Leave the domain."""
        self._executor.shutdown(timeout_sec=0)
        self._node.destroy_node()
        self._context.try_shutdown()


def _request(kind: Any, service: str, content: Mapping[str, Any]) -> Any:
    request = kind.Request()
    if service == 'load_node':
        request.package_name = content['package']
        request.plugin_name = content['plugin']
        request.node_name = content['node']
        request.node_namespace = content.get('namespace', '')
        request.log_level = content.get('log_level', 0)
        request.remap_rules = content.get('remap', [])
        request.parameters = _parameters(content.get('parameters', {}))
        keys = ('nonce', 'time_ns', 'signature')
        extra = {f'ros2bench.{key}': content[key] for key in keys if key in content}
        request.extra_arguments = _parameters(extra)
    elif service != 'list_nodes':
        for key in content.keys() - {'container'}:
            setattr(request, key, content[key])
    return request


def _parameters(values: Mapping[str, Any]) -> list[Any]:
    from rclpy.parameter import Parameter  # noqa: PLC0415 (see the module)

    messages = []
    for name, value in values.items():
        if value is None or value == [] or isinstance(value, dict):
            raise RelayError(400, f'the parameter {name!r} is {value!r}, for which ROS has no type')
        try:
            messages.append(Parameter(name, value=value).to_parameter_msg())
        except (TypeError, ValueError, AssertionError, OverflowError) as error:
            raise RelayError(
                400, f'the parameter {name!r} is {value!r}, for which ROS has no type'
            ) from error
    return messages


def _plain(message: Any) -> dict[str, Any]:
    """Fields of an answer as JSON can hold them."""
    fields = message.get_fields_and_field_types()
    values = {name: getattr(message, name) for name in fields}
    return {
        name: value if isinstance(value, (bool, int, str)) else list(value)
        for name, value in values.items()
    }
