"""The door to the machine readers of a platform: port-forwards and signed clients, opened for a campaign."""

import os
from collections.abc import Mapping
from contextlib import AsyncExitStack

from probes.machine_reader import MachineReaderClient, audience_of
from probes.readers import MachineReader, Open
from probes.signed_http import forwarded_client
from probes.signing import CallSigner, operator_key
from probes.world import Cluster
from signing.keys import key_path
from stacks.outputs import MachineReaderEndpoint


def reader_door(cluster: Cluster, endpoint: MachineReaderEndpoint) -> Open:
    """Give what connects to every ready reader of a platform.

    Args:
        cluster: Where they are.
        endpoint: Where the platform says they listen.
    """

    async def open_readers(stack: AsyncExitStack) -> Mapping[str, MachineReader]:
        key = operator_key(key_path(os.environ))
        addresses = await stack.enter_async_context(cluster.machine_readers(endpoint))
        clients: dict[str, MachineReader] = {}
        for machine, address in addresses.items():
            http = await stack.enter_async_context(forwarded_client(address))
            clients[machine] = MachineReaderClient(http, CallSigner(key, audience_of(machine)))
        return clients

    return open_readers
