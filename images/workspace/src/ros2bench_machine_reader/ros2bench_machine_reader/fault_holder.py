"""Process that holds one network fault: makes it, keeps it, and removes it whatever happens.

`python -m ros2bench_machine_reader.fault_holder JSON` with `{"plan", "state", "proc_root",
"machine_network"}`. It answers one line of JSON when the fault is there, and another one with
counts after its removal, and removes it when its standard input ends (its parent closes it or
dies), on SIGTERM, and after the plan's `max_s`. Without a plan it removes what a killed one left.
"""

import contextlib
import ctypes
import json
import os
import select
import shutil
import signal
import stat
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from ipaddress import IPv4Network
from pathlib import Path
from typing import Any

from ros2bench_machine_reader import fault_path
from ros2bench_machine_reader.fault_path import NETEM_LINK, RELAY_LINK, Command, Link
from ros2bench_machine_reader.fault_plan import FaultPlan, plan_of_json
from ros2bench_machine_reader.packet_queue import PacketQueue
from ros2bench_machine_reader.tun_relay import TUN_DEVICE, drain, open_tun, relay

_CLONE_NEWNET = 0x40000000
_TUN_NUMBERS = (10, 200)
COMMAND_LIMIT_S = 10
PROGRAM_FOLDERS = '/usr/sbin:/sbin:/usr/bin:/bin'
STOP_SIGNALS = (signal.SIGTERM, signal.SIGINT)


class HolderError(Exception):
    """The fault could not be made; the text says which step failed and why."""


class Machine:
    """Network of the machine: runs commands in it, and notes what it changes before it does."""

    def __init__(self, proc_root: Path, state: Path) -> None:
        self._state = state
        self._noted: dict[str, Any] = {'settings': []}
        # The machine's own programs are there where this image has none; they fit its kernel.
        namespace = proc_root / '1' / 'ns' / 'mnt'
        has_own = shutil.which('ip') is not None
        self._prefix: Command = () if has_own else ('nsenter', f'--mount={namespace}', '--')

    def run(self, command: Command) -> str:
        """Run a command; give what it printed.

        Raises:
            HolderError: it failed.
        """
        try:
            done = subprocess.run(
                (*self._prefix, *command),
                capture_output=True,
                text=True,
                timeout=COMMAND_LIMIT_S,
                check=False,
                env={**os.environ, 'PATH': f'{os.environ.get("PATH", "")}:{PROGRAM_FOLDERS}'},
            )
        except (OSError, subprocess.TimeoutExpired) as error:
            raise HolderError(f'{" ".join(command)}: {error}') from error
        if done.returncode:
            raise HolderError(f'{" ".join(command)}: {done.stderr.strip() or done.returncode}')
        return done.stdout

    def ask(self, *words: str) -> list[dict[str, Any]]:
        """What the program `ip` tells."""
        return json.loads(self.run(('ip', '-json', *words)) or '[]')

    def begin(self, plan: FaultPlan) -> None:
        """Note that a fault is being made."""
        self._noted = {'fault': plan.fault, 'settings': []}
        self._write()

    def change_setting(self, path: Path, value: str) -> None:
        """Change a setting of a device that is not ours, after noting what it was."""
        was = path.read_text(encoding='ascii').strip()
        if was != value:
            self._noted['settings'].append([str(path), was, value])
            self._write()
            path.write_text(value, encoding='ascii')

    def close_way(self) -> None:
        """Lead no more packets into a link of ours.

        Raises:
            HolderError: a command failed.
        """
        for command in fault_path.rule_removals(self.ask('rule', 'show')):
            self.run(command)

    def restore(self) -> None:
        """Undo everything: rules, links, settings; then forget the note.

        Raises:
            HolderError: a command failed; the note stays, so that it is tried again.
        """
        self.close_way()
        for command in fault_path.link_removals(self.ask('link', 'show')):
            self.run(command)
        for path, was, value in self._read()['settings']:
            setting = Path(path)
            # Somebody else's later change, or a device that is gone, is left alone.
            if setting.exists() and setting.read_text(encoding='ascii').strip() == value:
                setting.write_text(was, encoding='ascii')
        self._state.unlink(missing_ok=True)

    def _write(self) -> None:
        part = self._state.with_name(f'{self._state.name}.part')
        part.write_text(json.dumps(self._noted), encoding='utf-8')
        part.replace(self._state)

    def _read(self) -> dict[str, Any]:
        if not self._state.exists():
            return self._noted
        return json.loads(self._state.read_text(encoding='utf-8'))


def enter_network(namespace: Path) -> None:
    """Make a network namespace that of this process, unless it is already.

    Raises:
        HolderError: not permitted.
    """
    own, wanted = Path('/proc/self/ns/net').stat(), namespace.stat()
    if (own.st_dev, own.st_ino) == (wanted.st_dev, wanted.st_ino):
        return
    library = ctypes.CDLL(None, use_errno=True)
    with namespace.open('rb') as file:
        if library.setns(file.fileno(), _CLONE_NEWNET):
            raise HolderError(
                f'the network of this machine ({namespace}) cannot be entered: '
                f'{os.strerror(ctypes.get_errno())}; the machine reader must be privileged'
            )


def make_netem(machine: Machine, plan: FaultPlan) -> bool | None:
    """Make a link with netem in it.

    Returns:
        Whether it repeats with the seed; None if this machine has no netem (nothing is left then).
    """
    try:
        for command in fault_path.netem_link_commands():
            machine.run(command)
        links = machine.ask('link', 'show', 'dev', fault_path.NETEM_END)
        machine.run(fault_path.netem_neighbour_command(links))
    except HolderError:
        _remove_links(machine)
        return None
    for seeded in (True, False):
        # An older kernel or program refuses the seed; none at all refuses both.
        with contextlib.suppress(HolderError):
            machine.run(fault_path.netem_command(plan, seeded=seeded))
            return seeded
    _remove_links(machine)
    return None


def make_relay(machine: Machine) -> int:
    """Make a TUN device.

    Raises:
        HolderError: the kernel has none or this process may not make one.
    """
    try:
        if not TUN_DEVICE.exists():
            TUN_DEVICE.parent.mkdir(exist_ok=True)
            os.mknod(TUN_DEVICE, 0o600 | stat.S_IFCHR, os.makedev(*_TUN_NUMBERS))
        tun = open_tun(fault_path.LINK)
    except OSError as error:
        raise HolderError(f'{TUN_DEVICE}: {error.strerror}: no TUN device can be made') from error
    for command in fault_path.relay_link_commands():
        machine.run(command)
    return tun


def open_way(machine: Machine, plan: FaultPlan, link: Link) -> None:
    """Lead the plan's packets through the link.

    Raises:
        HolderError: a step failed.
    """
    for path, value in fault_path.device_settings(link):
        Path(path).write_text(value, encoding='ascii')
    first = [str(IPv4Network(network).network_address) for network in plan.destinations]
    routes = [route for address in first for route in machine.ask('route', 'get', address)]
    strict_everywhere = _rp_filter('all').read_text(encoding='ascii').strip()
    for device in fault_path.ways_out(routes):
        strict = _rp_filter(device).read_text(encoding='ascii').strip()
        if max(int(strict), int(strict_everywhere)) == fault_path.STRICT:
            # Answers arrive where the kernel, asked about our rule, does not expect them.
            machine.change_setting(_rp_filter(device), f'{fault_path.LOOSE}')
    for command in fault_path.entry_commands(plan, link, fault_path.own_address(routes)):
        machine.run(command)


def hold(machine: Machine, plan: FaultPlan, ended: int) -> dict[str, Any]:
    """Make the fault, say so, keep it until it must end, remove it.

    Returns:
        Counts of packets; null where netem does not tell.

    Raises:
        HolderError: it could not be made; nothing of it is left.
    """
    machine.restore()
    machine.begin(plan)
    tun = None
    queue = PacketQueue(plan)
    try:
        seeded = make_netem(machine, plan)
        if seeded is None:
            tun = make_relay(machine)
        open_way(machine, plan, NETEM_LINK if tun is None else RELAY_LINK)
        until_s = time.monotonic() + plan.max_s
        answer = {'means': 'netem', 'seeded': seeded}
        say(answer if tun is None else {'means': 'relay', 'seeded': True})
        if tun is None:
            select.select([ended], (), (), plan.max_s)
        else:
            relay(tun, queue, ended, until_s)
            machine.close_way()
            drain(tun, queue)
    finally:
        machine.restore()
        if tun is not None:
            os.close(tun)
    return {'counts': None if tun is None else asdict(queue.counts)}


def say(answer: dict[str, Any]) -> None:
    """One line of JSON to the parent."""
    with contextlib.suppress(BrokenPipeError):
        print(json.dumps(answer), flush=True)


@contextlib.contextmanager
def ending() -> Iterator[int]:
    """File that becomes readable at the end of standard input or on SIGTERM or SIGINT."""
    readable, writable = os.pipe2(os.O_CLOEXEC | os.O_NONBLOCK)
    signal.set_wakeup_fd(writable)
    for number in STOP_SIGNALS:
        signal.signal(number, lambda *_: None)
    # The machine reader blocks them for itself, and a child inherits that.
    signal.pthread_sigmask(signal.SIG_UNBLOCK, STOP_SIGNALS)
    both = select.epoll()
    both.register(readable, select.EPOLLIN)
    both.register(sys.stdin.fileno(), select.EPOLLIN | select.EPOLLHUP)
    yield both.fileno()


def _rp_filter(device: str) -> Path:
    return Path('/proc/sys/net/ipv4/conf', device, 'rp_filter')


def _remove_links(machine: Machine) -> None:
    for command in fault_path.link_removals(machine.ask('link', 'show')):
        machine.run(command)


def main(arguments: Sequence[str]) -> int:
    """Hold a fault, or remove what is left of one.

    Returns:
        Exit code: 1 if something failed, which the last line says.
    """
    asked = json.loads(arguments[0])
    try:
        enter_network(Path(asked['machine_network']))
        machine = Machine(Path(asked['proc_root']), Path(asked['state']))
        if asked['plan'] is None:
            machine.restore()
            say({'counts': None})
            return 0
        with ending() as ended:
            say(hold(machine, plan_of_json(asked['plan']), ended))
    except (HolderError, OSError) as error:
        say({'error': str(error)})
        return 1
    return 0


if __name__ == '__main__':
    sys.exit(main(sys.argv[1:]))
