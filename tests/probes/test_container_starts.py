"""Times of starts that machine readers tell."""
# ruff: noqa: D102 - the method is that of the protocol in probes/readers.py

import asyncio
from collections.abc import Mapping
from typing import Any

from probes.container_starts import container_starts
from probes.evidence import ContainerIdentity, PhaseTime, PodIdentity
from probes.readers import ReaderSet
from tests.probes.fake_readers import FakeReader

TICK_NS = 10_000_000


class Telling(FakeReader):
    """A stand-in whose machine tells one start."""

    answer: Mapping[str, Any] | str

    async def call(self, method: str, path: str, body: Mapping[str, Any] | None = None) -> Mapping[str, Any]:  # noqa: ARG002
        assert (method, path) == ("GET", "/v1/starts")
        if isinstance(self.answer, str):
            raise LookupError(self.answer)  # noqa: TRY004 - stands for what any client may raise
        return self.answer


def telling(answer: Mapping[str, Any] | str) -> Telling:
    reader = Telling()
    reader.answer = answer
    return reader


def pod(name: str, machine: str, *containers: str) -> PodIdentity:
    return PodIdentity(name, f"uid-{name}", machine, name, tuple(ContainerIdentity(one, one) for one in containers))


def told(readers: dict[str, Telling], *pods: PodIdentity) -> tuple[tuple[PhaseTime, ...], list[str]]:
    notes: list[str] = []
    found = ReaderSet(readers, {}, "here", notes.append)
    return asyncio.run(container_starts(found, pods)), notes


def test_each_container_of_the_application_is_dated_by_its_own_machine() -> None:
    def answer(identifier: str, at_ns: int) -> Mapping[str, Any]:
        others = {"container_id": "of-somebody-else", "started_ns": 1}
        return {"starts": [others, {"container_id": identifier, "started_ns": at_ns}], "resolution_ns": TICK_NS}

    readers = {"cloud": telling(answer("c1", 10)), "edge": telling(answer("e1", 20))}
    times, notes = told(readers, pod("a", "cloud", "c1"), pod("b", "edge", "e1", "e2"), pod("c", "third", "t1"))
    assert times == (
        PhaseTime("a", "cloud", "started", 10, "runtime", TICK_NS, "cloud"),
        PhaseTime("b", "edge", "started", 20, "runtime", TICK_NS, "edge"),
    )
    assert notes == []


def test_a_machine_that_does_not_tell_leaves_the_events() -> None:
    missing = {"starts": [], "resolution_ns": TICK_NS, "missing": "runtime_state_not_asked"}
    assert told({"cloud": telling(missing)}, pod("a", "cloud", "c1")) == ((), [])


def test_an_answer_that_makes_no_sense_is_shown_and_ends_nothing() -> None:
    times, notes = told(
        {"cloud": telling({"starts": "none"}), "edge": telling("no such call")},
        pod("a", "cloud", "x"),
        pod("b", "edge", "y"),
    )
    assert times == ()
    assert len(notes) == 2
