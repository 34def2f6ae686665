"""The talker: publishes a text at a steady rate."""

import sys
from typing import Any

from ros2bench_examples.parameters import RULES
from ros2bench_interfaces.msg import Text
from ros2bench_nodes.application_node import ApplicationNode, run
from ros2bench_nodes.metronome import Metronome
from ros2bench_nodes.stamps import stamp, time_message
from ros2bench_nodes.topics import EVENTS_QOS

TOPIC = 'chatter'


class Talker(ApplicationNode):
    """Publishes `chatter`, each text with the moment when it was due and its number."""

    def __init__(self, **node_options: Any) -> None:
        super().__init__('talker', rules=RULES['talker'], **node_options)

    def make(self) -> None:
        """Begin to talk."""
        self._publisher = self.create_publisher(Text, TOPIC, EVENTS_QOS)
        self._metronome = Metronome(
            'talker', self.values['rate_hz'], self._say, is_over=lambda: not self.context.ok()
        )
        self._metronome.start()

    def _say(self, due_ns: int, number: int) -> None:
        data = f'{self.values["text"]} {number}'
        self._publisher.publish(Text(stamp=stamp(time_message(due_ns), number), data=data))
        self.health.note_message()

    def check_work(self) -> None:
        """Raise if the talker's thread has died, so that the pod is restarted, not silent."""
        self._metronome.check()

    def destroy_node(self) -> None:
        """Stop talking and free everything that the node made."""
        self._metronome.stop()
        super().destroy_node()


def main() -> int:
    """Run the talker alone."""
    return run(Talker)


if __name__ == '__main__':
    sys.exit(main())
