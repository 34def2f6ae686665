"""A node that does something whenever it is due, in its executor."""

import queue
from collections.abc import Mapping
from typing import Any

from ros2bench_nodes.application_node import ApplicationNode
from ros2bench_nodes.metronome import Metronome
from ros2bench_nodes.parameters import Rule


class ScheduledNode(ApplicationNode):
    """Calls `act` in the executor for everything that is due at `rate_hz`, numbered from 0.

    Clients of services and actions must be used in the executor alone, but an executor's timer
    forgets what it was too busy for. So a thread keeps the schedule and wakes the executor.
    """

    def __init__(self, kind: str, rules: Mapping[str, Rule], **node_options: Any) -> None:
        super().__init__(kind, rules=rules, **node_options)

    def act(self, due_ns: int, number: int) -> None:
        """Do what was due at a time, in nanoseconds since the epoch."""
        raise NotImplementedError

    def start_schedule(self) -> None:
        """Begin; called at the end of `make`."""
        self._due: queue.SimpleQueue[tuple[int, int]] = queue.SimpleQueue()
        self._guard = self.create_guard_condition(self._on_guard)
        self._metronome = Metronome(
            self.get_name(),
            self.values['rate_hz'],
            self._wake,
            is_over=lambda: not self.context.ok(),
        )
        self._metronome.start()

    def stop_schedule(self) -> None:
        """Begin nothing new."""
        self._metronome.stop()

    def check_work(self) -> None:
        """Raise if the schedule's thread has died, so that the pod is restarted, not silent."""
        self._metronome.check()

    def destroy_node(self) -> None:
        """Stop the schedule and free everything that the node made."""
        self.stop_schedule()
        super().destroy_node()

    def _wake(self, due_ns: int, number: int) -> None:
        self._due.put((due_ns, number))
        self._guard.trigger()

    def _on_guard(self) -> None:
        # One wake-up may stand for several: the executor merges them.
        while not self._due.empty():
            self.act(*self._due.get())
