"""`/v1/network/faults`: one fault at a time, held by a process of its own.

Nothing that it changes outlives it: it removes its changes when it is told to, when its time is
over, when this program ends or dies; and what a killed one has left is removed at the next start.
"""

import json
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

from ros2bench_machine_reader.configuration import Configuration
from ros2bench_machine_reader.fault_plan import (
    OPTIONAL,
    REQUIRED,
    FaultPlan,
    PlanError,
    parse_plan,
)
from ros2bench_machine_reader.routing import (
    CallRefused,
    Extension,
    Request,
    Response,
    Route,
    json_response,
)

HOLDER = 'ros2bench_machine_reader.fault_holder'
ALLOW = 'machineReaders.allowFaults in the stack file of the platform says so'
STATE_FILE = 'network-fault.json'
START_LIMIT_S = 30.0
END_LIMIT_S = 30.0


class Held:
    """A running fault."""

    def __init__(self, plan: FaultPlan, process: 'subprocess.Popen[str]') -> None:
        self.plan = plan
        self.process = process
        self.answer: dict[str, Any] = {}

    def line(self, limit_s: float) -> dict[str, Any]:
        """Next answer of the process.

        Raises:
            CallRefused: it failed, or gave none in time.
        """
        stream = self.process.stdout
        # A process that hangs is ended, which ends the reading too.
        guard = threading.Timer(limit_s, self.process.terminate)
        guard.start()
        try:
            text = stream.readline() if stream else ''
        finally:
            guard.cancel()
        missing = {'error': f'the process that holds it ended, or was silent for {limit_s:g} s'}
        answer = json.loads(text) if text else missing
        if 'error' in answer:
            raise CallRefused(501, f'fault {self.plan.fault}: {answer["error"]}')
        return dict(answer)

    def end(self) -> dict[str, Any]:
        """Let it remove its changes.

        Raises:
            CallRefused: it could not; its note stays, and the next start tries again.
        """
        if self.process.stdin:
            self.process.stdin.close()
        try:
            answer = self.line(END_LIMIT_S)
        finally:
            self.process.wait(END_LIMIT_S)
            if self.process.stdout:
                self.process.stdout.close()
        return answer


class Faults:
    """Starts and ends faults.

    Args:
        folder: where the note of what is changed is kept.
        proc_root: processes of the machine; number 1 is in the network of the machine.
        machine_network: the network to change instead of that.
    """

    def __init__(self, folder: Path, proc_root: Path, machine_network: Path | None = None) -> None:
        self._state = folder / STATE_FILE
        self._proc_root = proc_root
        self._machine_network = machine_network or proc_root / '1' / 'ns' / 'net'
        self._held: Held | None = None
        self._lock = threading.Lock()

    def start(self, plan: FaultPlan) -> dict[str, Any]:
        """Make a fault; it is there when this returns.

        Raises:
            CallRefused: another one is there (409), or it cannot be made (501).
        """
        with self._lock:
            if self._held and self._held.process.poll() is None:
                if self._held.plan == plan and self._held.answer:
                    # A request that was repeated because its answer got lost.
                    return self._held.answer
                name = self._held.plan.fault
                raise CallRefused(409, f'fault {name} is there: DELETE /v1/network/faults first')
            self._end()
            held = Held(plan, self._process(plan))
            try:
                answer = held.line(START_LIMIT_S)
            except CallRefused:
                self._close(held)
                raise
            held.answer = {'fault': plan.fault, **answer}
            self._held = held
            return held.answer

    def end(self) -> dict[str, Any]:
        """Remove the fault, if there is one.

        Returns:
            Its name and what became of packets; null where there was none, or where the kernel
            did it and does not tell.

        Raises:
            CallRefused: it could not be removed; the next start tries again.
        """
        with self._lock:
            return self._end()

    def _end(self) -> dict[str, Any]:
        held, self._held = self._held, None
        if held is None:
            return {'fault': None, 'counts': None}
        try:
            return {'fault': held.plan.fault, **held.end()}
        except CallRefused as error:
            # Its holder died: another process removes what it has left.
            self.remove_leftovers()
            return {'fault': held.plan.fault, 'counts': None, 'problem': str(error)}

    def remove_leftovers(self) -> None:
        """Remove what a killed process has left.

        Raises:
            CallRefused: it could not be removed.
        """
        if self._state.exists():
            held = Held(FaultPlan('leftovers', (), (), 0.0), self._process(None))
            try:
                held.line(END_LIMIT_S)
            finally:
                self._close(held)

    def _process(self, plan: FaultPlan | None) -> 'subprocess.Popen[str]':
        asked = {
            'plan': plan.as_json() if plan else None,
            'state': str(self._state),
            'proc_root': str(self._proc_root),
            'machine_network': str(self._machine_network),
        }
        return subprocess.Popen(
            [sys.executable, '-m', HOLDER, json.dumps(asked)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )

    @staticmethod
    def _close(held: Held) -> None:
        for stream in (held.process.stdin, held.process.stdout):
            if stream:
                stream.close()
        held.process.wait(END_LIMIT_S)


def extension(configuration: Configuration) -> Extension:
    """Calls about faults."""
    faults = Faults(configuration.folder, configuration.proc_root)

    def make(request: Request) -> Response:
        body = request.fields(REQUIRED, OPTIONAL)
        try:
            plan = parse_plan(body)
        except PlanError as error:
            raise CallRefused(400, str(error)) from error
        if not configuration.allow_faults:
            raise CallRefused(403, f'the platform does not let the network be changed; {ALLOW}')
        return json_response(201, faults.start(plan))

    def take_away(_: Request) -> Response:
        return json_response(200, faults.end())

    def clean() -> None:
        if configuration.allow_faults:
            faults.remove_leftovers()

    return Extension(
        routes={
            ('POST', '/v1/network/faults'): Route(make),
            ('DELETE', '/v1/network/faults'): Route(take_away),
        },
        start=clean,
        stop=lambda: _end_quietly(faults),
    )


def _end_quietly(faults: Faults) -> None:
    """The program ends: what fails now is told, and tried again at the next start."""
    try:
        faults.end()
    except CallRefused as error:
        print(f'network fault: {error}', file=sys.stderr)
