"""Decides what is loaded and unloaded, and keeps the account of it. Needs no ROS."""

import itertools
import math
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Protocol

from ros2bench_composition.audit import Audit
from ros2bench_composition.component import Component, check_names
from ros2bench_composition.last_good import LastGood
from ros2bench_composition.limits import Brake, Limits, Rate
from ros2bench_composition.manifest import Manifest
from ros2bench_composition.parameter_types import checked
from ros2bench_composition.refusal import Refusal
from ros2bench_composition.request import EXTRA, LoadRequest, UnloadRequest
from ros2bench_composition.signature import Authority

SETTLE_S = 5.0
CONFIGURED = 'configuration'
UNKNOWN = 'unknown'


class Host(Protocol):
    """Runs components: each in a process of its own, or all in this one."""

    def begin(self, unique_id: int, component: Component) -> None:
        """Begin to load; several may be on their way at once."""
        ...

    def finish(self, unique_id: int, timeout_s: float) -> None:
        """Wait until the component is loaded.

        Raises:
            Refusal: it could not be loaded; nothing of it is left.
        """
        ...

    def unload(self, unique_id: int) -> None:
        """Stop a component; returns when it is gone."""
        ...

    def health(self, path: str) -> Mapping[str, tuple[int, str]]:
        """Status and sentence (empty: all is well) of each component, for one of three paths."""
        ...

    def resident_bytes(self) -> int:
        """Memory of the container and all that it runs."""
        ...

    def stop(self) -> None:
        """Stop everything."""
        ...


@dataclass(frozen=True)
class Answer:
    """Answer to a load or unload request."""

    success: bool
    error_message: str = ''
    full_node_name: str = ''
    unique_id: int = 0


@dataclass(frozen=True)
class Loaded:
    """A component that runs, and since when; those of the first set have always been good."""

    component: Component
    since_s: float


class Manager:
    """Obeys one call at a time."""

    def __init__(
        self,
        container: str,
        *,
        manifest: Manifest,
        limits: Limits,
        host: Host,
        authority: Authority | None,
        caller: str,
        audit: Audit,
        last_good: LastGood,
        clock: Callable[[], float] = time.monotonic,
        brake: Brake | None = None,
    ) -> None:
        """Wire the parts.

        Args:
            container: full name of the container, as requests are signed for it.
            manifest: what may be loaded.
            limits: how much and how often.
            host: runs what is loaded.
            authority: checks signatures; None where SROS 2 guards the services.
            caller: name of whoever passes the check, for the audit.
            audit: takes every call.
            last_good: keeps the set for a restart.
            clock: monotonic, in seconds.
            brake: slows down a flood; None: the usual one.
        """
        self._container = container
        self._manifest = manifest
        self._limits = limits
        self._host = host
        self._authority = authority
        self._caller = caller
        self._audit = audit
        self._last_good = last_good
        self._clock = clock
        self._brake = brake or Brake()
        self._loads = Rate(limits.loads_per_minute, 'loads', clock)
        self._unloads = Rate(limits.loads_per_minute, 'unloads', clock)
        self._ids = itertools.count(1)
        self._loaded: dict[int, Loaded] = {}
        self._saved: list[Component] | None = None
        self._lock = threading.Lock()
        self.is_started = False

    def start(self, components: Sequence[Component]) -> None:
        """Load the first set: begun in order, so that they start side by side, then waited for.

        Raises:
            Refusal: one of them cannot be loaded.
        """
        with self._lock:
            begun: list[tuple[int, Component, float]] = []
            names: set[str] = set()
            try:
                for component in components:
                    given = self._checked(component, names)
                    names.add(component.full_name)
                    unique_id = next(self._ids)
                    begun.append((unique_id, component, self._clock()))
                    self._host.begin(unique_id, given)
                for unique_id, component, began_s in begun:
                    self._host.finish(unique_id, self._limits.load_timeout_s)
                    self._note_loaded(unique_id, component, began_s, CONFIGURED)
            except Refusal as refusal:
                about = _about(component)
                self._audit.refused('load', CONFIGURED, refusal.reason, str(refusal), **about)
                raise
            self.is_started = True

    def load(self, request: LoadRequest) -> Answer:
        """Obey or refuse a load request; every one leaves a line in the audit."""
        about: dict[str, Any] = {
            'node': request.node,
            'package': request.package,
            'plugin': request.plugin,
        }
        caller = UNKNOWN
        began_s = self._clock()
        try:
            request.check_size()
            self._authenticate(request.signed(self._container), request)
            caller = self._caller
            self._loads.take()
            component = request.component()
            with self._lock:
                unique_id = self._load(component)
                self._note_loaded(unique_id, component, began_s, caller)
        except Refusal as refusal:
            self._note_refused('load', caller, refusal, about)
            return Answer(success=False, error_message=f'{refusal.reason}: {refusal}')
        return Answer(success=True, full_node_name=component.full_name, unique_id=unique_id)

    def unload(self, request: UnloadRequest, *, is_signed: bool) -> Answer:
        """Obey or refuse an unload request; every one leaves a line in the audit."""
        about: dict[str, Any] = {'unique_id': request.unique_id}
        caller = UNKNOWN
        began_s = self._clock()
        try:
            self._authenticate_unload(request, is_signed=is_signed)
            caller = self._caller
            self._unloads.take()
            with self._lock:
                component = self._unload(request.unique_id)
                about.update(_about(component))
        except Refusal as refusal:
            self._note_refused('unload', caller, refusal, about)
            return Answer(success=False, error_message=f'{refusal.reason}: {refusal}')
        self._audit.accepted('unload', caller, **about, duration_s=self._since(began_s))
        return Answer(success=True, full_node_name=component.full_name)

    def names(self) -> dict[int, str]:
        """Full name of each loaded component by its number."""
        return {number: item.component.full_name for number, item in self._loaded.items()}

    def health(self, path: str) -> tuple[int, Mapping[str, str]]:
        """Joint answer to `/startz`, `/readyz` or `/healthz`, and the state of each component."""
        if not self.is_started:
            status = 200 if path == '/healthz' else 503
            return status, {self._container: 'loading the components of the configuration'}
        answers = self._host.health(path)
        states = {name: sentence or 'ok' for name, (_, sentence) in answers.items()}
        return max([200, *(status for status, _ in answers.values())]), states

    def settle(self) -> None:
        """Keep what has run long enough; called about once a second."""
        with self._lock:
            if self.is_started:
                self._save()
        self._audit.flush()

    def _authenticate(self, content: dict[str, Any], request: LoadRequest) -> None:
        if self._authority is not None:
            signature = request.arguments().get(EXTRA[2])
            self._authority.check(content, signature)

    def _authenticate_unload(self, request: UnloadRequest, *, is_signed: bool) -> None:
        if self._authority is None:
            return
        if not is_signed:
            raise Refusal(
                'unsigned',
                'The standard unload request has no field for a signature: use '
                f'{self._container}/_container/unload_signed (`python -m probes.components '
                'unload`), or guard the services by SROS 2 and set trust.sros2.',
            )
        self._authority.check(request.signed(self._container), request.signature)

    def _checked(self, component: Component, taken: set[str]) -> Component:
        """The component as it is handed to the host: checked, values in their wanted types."""
        check_names(component)
        if component.full_name in taken or component.full_name == self._container:
            raise Refusal(
                'duplicate_name',
                f'A node {component.full_name} runs here already: unload it first.',
            )
        schema = self._manifest.schema(component)
        values = checked(component.plugin, schema, component.parameters)
        return replace(component, parameters=values)

    def _load(self, component: Component) -> int:
        given = self._checked(component, set(self.names().values()))
        self._limits.check_count(len(self._loaded))
        self._limits.check_memory(self._host.resident_bytes(), 'already')
        unique_id = next(self._ids)
        self._host.begin(unique_id, given)
        self._host.finish(unique_id, self._limits.load_timeout_s)
        try:
            self._limits.check_memory(self._host.resident_bytes(), f'with {component.full_name}')
        except Refusal:
            self._host.unload(unique_id)
            raise
        return unique_id

    def _unload(self, unique_id: int) -> Component:
        if unique_id not in self._loaded:
            loaded = ', '.join(f'{number} {name}' for number, name in self.names().items())
            raise Refusal(
                'not_loaded',
                f'No component {unique_id} was loaded into {self._container}; it holds '
                f'{loaded or "none"}. Nodes of others cannot be unloaded here.',
            )
        component = self._loaded.pop(unique_id).component
        self._host.unload(unique_id)
        self._save()
        return component

    def _save(self) -> None:
        now_s = self._clock()
        settled = [i.component for i in self._loaded.values() if now_s - i.since_s >= SETTLE_S]
        if settled != self._saved:
            self._last_good.save(settled)
            self._saved = settled

    def _note_loaded(
        self, unique_id: int, component: Component, began_s: float, caller: str
    ) -> None:
        since_s = -math.inf if caller == CONFIGURED else self._clock()
        self._loaded[unique_id] = Loaded(component, since_s)
        about = _about(component) | {'unique_id': unique_id}
        self._audit.accepted('load', caller, **about, duration_s=self._since(began_s))

    def _note_refused(
        self, call: str, caller: str, refusal: Refusal, about: dict[str, Any]
    ) -> None:
        self._audit.refused(call, caller, refusal.reason, str(refusal), **about)
        if caller == UNKNOWN:
            self._brake.press()

    def _since(self, began_s: float) -> float:
        return round(self._clock() - began_s, 6)


def _about(component: Component) -> dict[str, Any]:
    return {
        'node': component.full_name,
        'package': component.package,
        'plugin': component.plugin,
    }
