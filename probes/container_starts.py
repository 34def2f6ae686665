"""When containers began to run, as the machine readers date it: the times of phase `started` with source `runtime`.

A kubelet's event tells the same, but is written when the kubelet gets processor time; beside four starting programs on
two cores that was up to 0.35 s late.
"""

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any

from pydantic import BaseModel, ConfigDict

from probes.evidence import PhaseTime, PodIdentity
from probes.readers import CALL_LIMIT_S, ReaderSet

PHASE = "started"
SOURCE = "runtime"


class ContainerStart(BaseModel):
    """When the program of a container began to run, in the clock of its machine."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    container_id: str
    started_ns: int


class Starts(BaseModel):
    """`GET /v1/starts` of a machine reader; `missing` says why there are none."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    starts: tuple[ContainerStart, ...]
    resolution_ns: int
    missing: str | None = None


async def container_starts(readers: ReaderSet, pods: Sequence[PodIdentity]) -> tuple[PhaseTime, ...]:
    """Ask the readers when the containers of pods began to run; nothing of a machine that does not tell."""
    machines = sorted({pod.machine for pod in pods} & readers.clients.keys())
    answers = await asyncio.gather(*(_ask(readers, machine) for machine in machines))
    return tuple(
        time
        for machine, answer in zip(machines, answers, strict=True)
        if not isinstance(answer, str)
        for time in start_times(answer, [pod for pod in pods if pod.machine == machine])
    )


async def _ask(readers: ReaderSet, machine: str) -> Starts | str:
    async def ask() -> Starts:
        answer: Mapping[str, Any] = await readers.clients[machine].call("GET", "/v1/starts")
        return Starts.model_validate(answer)

    return await readers.attempt(machine, ask(), CALL_LIMIT_S)


def start_times(answer: Starts, pods: Sequence[PodIdentity]) -> list[PhaseTime]:
    """Give the times at which the containers of pods of one machine began to run, in its clock."""
    dated = {start.container_id: start.started_ns for start in answer.starts}
    return [
        PhaseTime(pod.name, pod.machine, PHASE, dated[item.container_id], SOURCE, answer.resolution_ns, pod.machine)
        for pod in pods
        for item in pod.containers
        if item.container_id in dated
    ]
