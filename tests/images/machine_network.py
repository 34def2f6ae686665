"""Two pods and the machine between them, as network namespaces: nothing of the host's own network is touched."""

import ctypes
import os
import subprocess
import threading
from collections.abc import Callable, Sequence
from typing import TypeVar

from lab.packages import install, missing_packages

SOURCE, DESTINATION = "198.51.100.0/25", "198.51.100.128/25"
NEAR, FAR = "198.51.100.2", "198.51.100.130"
MACHINE = "198.51.100.129"
CLONE_NEWNET = 0x40000000
Found = TypeVar("Found")

MAKE_MACHINE = """
ip link add near0 type veth peer name eth0 netns {near}
ip link add far0 type veth peer name eth0 netns {far}
ip address add 198.51.100.1/25 dev near0
ip address add 198.51.100.129/25 dev far0
ip link set near0 up
ip link set far0 up
sysctl -qw net.ipv4.ip_forward=1 net.ipv4.conf.all.rp_filter={rp_filter} \
  net.ipv4.conf.near0.rp_filter={rp_filter} net.ipv4.conf.far0.rp_filter={rp_filter}
iptables -A FORWARD -m conntrack --ctstate INVALID -j DROP
iptables -t nat -A POSTROUTING -s 198.51.100.0/24 ! -d 198.51.100.0/24 -j MASQUERADE
"""
MAKE_POD = "ip address add {address}/25 dev eth0; ip link set eth0 up; ip route add default via {gateway}"
# IPv6 is off, because its addresses appear by themselves a moment later.
BEGIN = "sysctl -qw net.ipv6.conf.all.disable_ipv6=1 net.ipv6.conf.default.disable_ipv6=1; ip link set lo up"
# Counters of rules are left out: packets of the test itself move them.
STATE = """
ip rule; ip route show table all; ip -brief link; ip -brief address
iptables-save | grep -v '^#' | sed 's/\\[[0-9:]*\\]//'
sysctl -a 2>/dev/null | grep '\\.rp_filter'
tc qdisc show
"""


class MachineNetwork:
    """Pod `near` - machine - pod `far`; the machine forwards, tracks connections, and checks sources as told."""

    def __init__(self, rp_filter: int = 1) -> None:
        install(missing_packages())
        self._holders: list[subprocess.Popen[str]] = []
        self.near, self.machine, self.far = (self._namespace() for _ in range(3))
        self.run(self.machine, MAKE_MACHINE.format(near=self.near, far=self.far, rp_filter=rp_filter))
        self.run(self.near, MAKE_POD.format(address=NEAR, gateway="198.51.100.1"))
        self.run(self.far, MAKE_POD.format(address=FAR, gateway="198.51.100.129"))

    def _namespace(self) -> int:
        command = ["unshare", "--net", "sh", "-ec", f"{BEGIN}; echo up; exec sleep 600"]
        holder = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        self._holders.append(holder)
        assert holder.stdout is not None
        assert holder.stdout.readline() == "up\n"
        return holder.pid

    def run(self, process: int, script: str) -> str:
        """What a shell script prints in the network of a process."""
        command = self.inside(process, ["sh", "-ec", script])
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout

    @staticmethod
    def inside(process: int, command: Sequence[str]) -> list[str]:
        """The same command, in the network of a process."""
        return ["nsenter", f"--net=/proc/{process}/ns/net", *command]

    def state(self) -> str:
        """Rules, routes, links, filters, queues and source checks of the machine."""
        return self.run(self.machine, STATE)

    def do(self, process: int, work: Callable[[], Found]) -> Found:
        """Do something in the network of a process; sockets that it makes stay there."""
        found: list[Found] = []
        failures: list[BaseException] = []

        def run() -> None:
            try:
                descriptor = os.open(f"/proc/{process}/ns/net", os.O_RDONLY)
                try:
                    assert ctypes.CDLL(None).setns(descriptor, CLONE_NEWNET) == 0
                finally:
                    os.close(descriptor)
                found.append(work())
            except BaseException as error:  # noqa: BLE001 - raised again in the test's own thread
                failures.append(error)

        thread = threading.Thread(target=run)
        thread.start()
        thread.join()
        if failures:
            raise failures[0]
        return found[0]

    def close(self) -> None:
        """Remove the networks."""
        for holder in self._holders:
            holder.kill()
            holder.wait()
            assert holder.stdout is not None
            holder.stdout.close()
