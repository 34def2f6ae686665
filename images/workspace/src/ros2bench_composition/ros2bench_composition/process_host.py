"""Runs each component in a process of its own, and starts it again when it dies. Needs no ROS."""

import base64
import os
import queue
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from ros2bench_composition.audit import Audit
from ros2bench_composition.component import Component
from ros2bench_composition.limits import resident_bytes
from ros2bench_composition.refusal import Refusal
from ros2bench_composition.wire import Wire

COMMAND = (sys.executable, '-m', 'ros2bench_composition.component_process')
ANSWER_LIMIT_S = 0.8
KILL_AFTER_S = 2.0
FIRST_BACK_OFF_S = 0.5
LONGEST_BACK_OFF_S = 30.0
STEADY_AFTER_S = 60.0


def back_off_s(crashes: int) -> float:
    """How long to wait before a start, after so many crashes in a row."""
    return min(FIRST_BACK_OFF_S * 2 ** (crashes - 1), LONGEST_BACK_OFF_S)


class Process:
    """One process of a component, from its start to its end."""

    def __init__(
        self,
        component: Component,
        manifest: bytes,
        command: Sequence[str],
        loaded: Callable[[], None],
    ) -> None:
        """Start it.

        Args:
            component: what it loads.
            manifest: what it may load.
            command: what is run; the number of its socket follows.
            loaded: called by `follow` when it has loaded the component.
        """
        self._loaded = loaded
        ours, theirs = socket.socketpair()
        with theirs:
            self._process = subprocess.Popen(
                [*command, str(theirs.fileno())],
                cwd='/',
                stdin=subprocess.DEVNULL,
                pass_fds=[theirs.fileno()],
            )
        self._wire = Wire(ours)
        self._numbers = 0
        self._asking = threading.Lock()
        self._answers: queue.SimpleQueue[Any] = queue.SimpleQueue()
        self.first: queue.SimpleQueue[Mapping[str, Any]] = queue.SimpleQueue()
        self._send(
            {'manifest': base64.b64encode(manifest).decode(), 'component': component.content()}
        )

    @property
    def process_id(self) -> int:
        """Its number."""
        return self._process.pid

    def follow(self) -> int:
        """Read what it says until it ends; blocks.

        Returns:
            Exit code, negative for a signal.
        """
        for said in self._wire.lines():
            if 'loaded' in said:
                self._loaded()
            (self._answers if 'health' in said else self.first).put(said)
        self._wire.close()
        code = self._process.wait()
        self.first.put({'ended': code})
        self._answers.put(None)
        return code

    def health(self, path: str) -> tuple[int, str] | None:
        """Ask the process for its node's health; None: it has ended."""
        with self._asking:
            self._numbers += 1
            deadline_s = time.monotonic() + ANSWER_LIMIT_S
            try:
                self._send({'number': self._numbers, 'path': path})
                while True:
                    said = self._answers.get(timeout=max(0.0, deadline_s - time.monotonic()))
                    if said is None:
                        return None
                    if said['number'] == self._numbers:
                        status, sentence = said['health']
                        return status, sentence
            except queue.Empty:
                return 503, f'no answer within {ANSWER_LIMIT_S:g} s'

    def stop(self) -> None:
        """Ask it to end; after 2 s it is made to."""
        self._process.terminate()
        try:
            self._process.wait(KILL_AFTER_S)
        except subprocess.TimeoutExpired:
            self.kill()

    def kill(self) -> None:
        """End it at once."""
        self._process.kill()
        self._process.wait()

    def _send(self, content: Any) -> None:
        try:
            self._wire.send(content)
        except OSError:
            # It has died: whoever follows it is told by its exit code.
            return


class Child:
    """A component and the processes that it has had, one after the other."""

    def __init__(
        self,
        component: Component,
        manifest: bytes,
        command: Sequence[str],
        audit: Audit,
    ) -> None:
        """Start the first process; see `ProcessHost`."""
        self.component = component
        self._manifest = manifest
        self._command = command
        self._audit = audit
        self._stopping = threading.Event()
        self._changing = threading.Lock()
        self._began_s = time.monotonic()
        # Empty: its process is asked.
        self._state = 'is loading'
        self.is_loaded = False
        self.process = self._start()
        self._thread = threading.Thread(target=self._keep, name=component.full_name, daemon=True)
        self._thread.start()

    def wait_loaded(self, timeout_s: float) -> None:
        """Wait for the first start.

        Raises:
            Refusal: it failed; the process has ended.
        """
        try:
            said = self.process.first.get(timeout=timeout_s)
        except queue.Empty:
            said = {'refused': 'load_timeout', 'sentence': f'not loaded within {timeout_s:g} s'}
        if 'loaded' in said:
            return
        self.stop(at_once=True)
        if 'ended' in said:
            raise Refusal(
                'load_failed',
                f'The process of {self.component.full_name} ended with {said["ended"]} while it '
                f'was loaded; its last words are in the log of the container.',
            )
        raise Refusal(said['refused'], f'{self.component.full_name}: {said["sentence"]}')

    def health(self, path: str) -> tuple[int, str]:
        """Health of the node; one that is being restarted is alive but not ready."""
        answer = None if self._state else self.process.health(path)
        return answer or ((200 if path == '/healthz' else 503), self._state or 'has ended')

    def stop(self, *, at_once: bool = False) -> None:
        """End the process for good."""
        self._stopping.set()
        with self._changing:
            process = self.process
        process.kill() if at_once else process.stop()
        self._thread.join(KILL_AFTER_S)

    def _start(self) -> Process:
        self._began_s = time.monotonic()
        return Process(self.component, self._manifest, self._command, self._loaded)

    def _loaded(self) -> None:
        """Called in the thread of `_keep`, as is all that changes the state."""
        self._state = ''
        if self.is_loaded:
            took_s = round(time.monotonic() - self._began_s, 6)
            self._note('restart', duration_s=took_s)
        self.is_loaded = True

    def _keep(self) -> None:
        crashes = 0
        while True:
            code = self.process.follow()
            if self._stopping.is_set() or not self.is_loaded:
                return
            is_steady = time.monotonic() - self._began_s >= STEADY_AFTER_S
            crashes = 1 if is_steady else crashes + 1
            wait_s = back_off_s(crashes)
            self._state = f'ended with {code}, is started again within {wait_s:g} s'
            self._note('crash', exit_code=code, restart_in_s=wait_s)
            if self._stopping.wait(wait_s):
                return
            with self._changing:
                if self._stopping.is_set():
                    return
                self.process = self._start()

    def _note(self, event: str, **about: Any) -> None:
        self._audit.accepted(event, 'container', node=self.component.full_name, **about)


class ProcessHost:
    """A process per component: none of them can starve or crash another."""

    def __init__(self, manifest: bytes, audit: Audit, command: Sequence[str] = COMMAND) -> None:
        """Begin with no component.

        Args:
            manifest: the bytes whose signature was checked; each process gets these very bytes.
            audit: takes crashes and restarts.
            command: what is run for a component; the number of its socket follows.
        """
        self._manifest = manifest
        self._audit = audit
        self._command = command
        self._children: dict[int, Child] = {}

    def begin(self, unique_id: int, component: Component) -> None:
        """Start the process."""
        self._children[unique_id] = Child(component, self._manifest, self._command, self._audit)

    def finish(self, unique_id: int, timeout_s: float) -> None:
        """Wait until the component is loaded.

        Raises:
            Refusal: it could not be loaded; its process has ended.
        """
        try:
            self._children[unique_id].wait_loaded(timeout_s)
        except Refusal:
            del self._children[unique_id]
            raise

    def unload(self, unique_id: int) -> None:
        """End the process."""
        self._children.pop(unique_id).stop()

    def health(self, path: str) -> Mapping[str, tuple[int, str]]:
        """Health of each component, asked side by side."""
        children = [child for child in list(self._children.values()) if child.is_loaded]
        if not children:
            return {}
        with ThreadPoolExecutor(max_workers=len(children)) as pool:
            answers = list(pool.map(lambda child: child.health(path), children))
        names = [child.component.full_name for child in children]
        return dict(zip(names, answers, strict=True))

    def resident_bytes(self) -> int:
        """Memory of the container and all processes."""
        children = [child.process.process_id for child in list(self._children.values())]
        return resident_bytes([os.getpid(), *children])

    def stop(self) -> None:
        """End all processes, side by side."""
        children = list(self._children.values())
        threads = [threading.Thread(target=child.stop) for child in children]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
