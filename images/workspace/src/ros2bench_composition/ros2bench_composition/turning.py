"""An executor that turns in a thread of its own until it is told to stop."""

import threading
import time
from collections.abc import Callable

from rclpy._rclpy_pybind11 import InvalidHandle
from rclpy.executors import Executor, MultiThreadedExecutor
from rclpy.node import Node

STOP_LIMIT_S = 0.5
# For callbacks that have begun in another thread; rclpy does not tell when they have ended.
GRACE_S = 0.2


class Turning:
    """Turns an executor; `destroy` and `stop` may be called from any other thread."""

    def __init__(self, executor: Executor, name: str, failed: Callable[[str], None]) -> None:
        """Begin to turn.

        Args:
            executor: what is turned.
            name: of the thread.
            failed: told when a callback raises; its traceback goes to standard error.
        """
        self.executor = executor
        self._failed = failed
        self._stopping = threading.Event()
        self._destroying = threading.Event()
        self._thread = threading.Thread(target=self._turn, name=name, daemon=True)
        self._thread.start()

    def _turn(self) -> None:
        try:
            while not self._stopping.is_set():
                self._turn_once()
        except BaseException as error:
            self._failed(f'{type(error).__name__}: {error}')
            raise

    def _turn_once(self) -> None:
        try:
            # Not `spin_until_future_complete`: it adds a callback to its future at every turn.
            self.executor.spin_once()
        except InvalidHandle:
            # A callback of the node that is being unloaded has lost its publisher.
            if not self._destroying.is_set():
                raise

    def destroy(self, node: Node) -> None:
        """Take a node off the executor and free it; with one thread in between two callbacks."""
        self._destroying.set()
        try:
            if isinstance(self.executor, MultiThreadedExecutor):
                self.executor.remove_node(node)
                time.sleep(GRACE_S)
                node.destroy_node()
                return
            finished = threading.Event()
            self.executor.create_task(self._free, node).add_done_callback(lambda _: finished.set())
            while not finished.wait(STOP_LIMIT_S) and self._thread.is_alive():
                continue
        finally:
            self._destroying.clear()

    def _free(self, node: Node) -> None:
        self.executor.remove_node(node)
        node.destroy_node()

    def stop(self) -> None:
        """Stop turning."""
        self._stopping.set()
        # Only work ends a turn; a mere wake-up would let it wait on.
        self.executor.create_task(lambda: None)
        self._thread.join(STOP_LIMIT_S)
        self.executor.shutdown(timeout_sec=0)
