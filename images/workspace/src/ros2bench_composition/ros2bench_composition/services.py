"""The services of the container, and their thread."""

from collections.abc import Callable
from typing import Any

import rclpy
from rclpy.callback_groups import MutuallyExclusiveCallbackGroup, ReentrantCallbackGroup
from rclpy.context import Context
from rclpy.executors import MultiThreadedExecutor
from rclpy.parameter import parameter_value_to_python

from composition_interfaces.srv import ListNodes, LoadNode, UnloadNode
from ros2bench_composition.manager import Manager
from ros2bench_composition.request import LoadRequest, UnloadRequest
from ros2bench_composition.turning import Turning
from ros2bench_interfaces.srv import UnloadSigned

# One thread for the call that loads, one for those who ask meanwhile.
THREADS = 2


def load_request(message: Any) -> LoadRequest:
    """The request in a message."""
    return LoadRequest(
        package=message.package_name,
        plugin=message.plugin_name,
        node=message.node_name,
        namespace=message.node_namespace,
        log_level=message.log_level,
        remap=tuple(message.remap_rules),
        parameters=_pairs(message.parameters),
        extra=_pairs(message.extra_arguments),
    )


def _pairs(parameters: Any) -> list[tuple[str, Any]]:
    return [(item.name, _plain(parameter_value_to_python(item.value))) for item in parameters]


def _plain(value: Any) -> Any:
    return value if value is None or isinstance(value, (bool, int, float, str)) else list(value)


class Services:
    """Serves `_container/load_node`, `unload_node`, `list_nodes` and `unload_signed`."""

    def __init__(
        self, container: str, manager: Manager, context: Context, failed: Callable[[str], None]
    ) -> None:
        """Begin to serve.

        Args:
            container: name of the node.
            manager: decides.
            context: of the node.
            failed: told when a callback raises, which ends the process.
        """
        self._manager = manager
        self._node = rclpy.create_node(
            container, context=context, enable_rosout=False, start_parameter_services=False
        )
        one_at_a_time, any_time = MutuallyExclusiveCallbackGroup(), ReentrantCallbackGroup()
        for name, kind, answer, group in (
            ('load_node', LoadNode, self._load, one_at_a_time),
            ('unload_node', UnloadNode, self._unload, one_at_a_time),
            ('unload_signed', UnloadSigned, self._unload_signed, one_at_a_time),
            ('list_nodes', ListNodes, self._list, any_time),
        ):
            self._node.create_service(kind, f'~/_container/{name}', answer, callback_group=group)
        executor = MultiThreadedExecutor(THREADS, context=context)
        executor.add_node(self._node)
        self._turning = Turning(
            executor, 'services', lambda sentence: failed(f'the services ended: {sentence}')
        )

    def _load(self, message: Any, response: Any) -> Any:
        answer = self._manager.load(load_request(message))
        response.success = answer.success
        response.error_message = answer.error_message
        response.full_node_name = answer.full_node_name
        response.unique_id = answer.unique_id
        return response

    def _unload(self, message: Any, response: Any) -> Any:
        return self._unloaded(UnloadRequest(message.unique_id), response, is_signed=False)

    def _unload_signed(self, message: Any, response: Any) -> Any:
        request = UnloadRequest(
            message.unique_id, message.nonce, message.time_ns, message.signature
        )
        return self._unloaded(request, response, is_signed=True)

    def _unloaded(self, request: UnloadRequest, response: Any, *, is_signed: bool) -> Any:
        answer = self._manager.unload(request, is_signed=is_signed)
        response.success = answer.success
        response.error_message = answer.error_message
        return response

    def _list(self, _: Any, response: Any) -> Any:
        names = self._manager.names()
        response.unique_ids = list(names)
        response.full_node_names = list(names.values())
        return response

    def stop(self) -> None:
        """Stop serving."""
        self._turning.stop()
        self._node.destroy_node()
