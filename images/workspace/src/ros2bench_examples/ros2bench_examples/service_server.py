"""The service's server: a lamp that is switched."""

import sys
from typing import Any

from std_srvs.srv import SetBool

from ros2bench_examples.parameters import RULES
from ros2bench_nodes.application_node import ApplicationNode, run

SERVICE = 'switch'


class ServiceServer(ApplicationNode):
    """Serves `switch`: turns a lamp on or off; turning it to what it is already has no success."""

    def __init__(self, **node_options: Any) -> None:
        super().__init__('service_server', rules=RULES['service_server'], **node_options)

    def make(self) -> None:
        """Begin to serve, with the lamp off."""
        self._lit = False
        self.create_service(SetBool, SERVICE, self._on_switch)

    def _on_switch(self, request: SetBool.Request, response: SetBool.Response) -> SetBool.Response:
        response.success = request.data != self._lit
        self._lit = request.data
        response.message = 'the lamp is on' if self._lit else 'the lamp is off'
        self.health.note_message()
        return response


def main() -> int:
    """Run the server alone."""
    return run(ServiceServer)


if __name__ == '__main__':
    sys.exit(main())
