"""The listener: repeats what it hears with the talker's stamp: the whole way is measured."""

import sys
from typing import Any

from ros2bench_examples.parameters import RULES
from ros2bench_examples.talker import TOPIC
from ros2bench_interfaces.msg import Text
from ros2bench_nodes.application_node import ApplicationNode, run
from ros2bench_nodes.stamps import stamp
from ros2bench_nodes.topics import EVENTS_QOS


class Listener(ApplicationNode):
    """Subscribes to `chatter`, publishes each text again on `echo`."""

    def __init__(self, **node_options: Any) -> None:
        super().__init__('listener', rules=RULES['listener'], **node_options)

    def make(self) -> None:
        """Begin to listen."""
        self._publisher = self.create_publisher(Text, 'echo', EVENTS_QOS)
        self.create_subscription(Text, TOPIC, self._on_text, EVENTS_QOS)

    def _on_text(self, message: Text) -> None:
        heard = message.stamp
        self._publisher.publish(
            Text(stamp=stamp(heard.intended, heard.frame_number), data=message.data)
        )
        self.health.note_message()


def main() -> int:
    """Run the listener alone."""
    return run(Listener)


if __name__ == '__main__':
    sys.exit(main())
