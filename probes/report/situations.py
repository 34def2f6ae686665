"""What a choice depends on: criteria made of measured values, and situations that say how much each counts. Pure data.

The script of the page (assets/page.js) reads the same values; both compute the same.
"""

from collections.abc import Mapping
from dataclasses import dataclass

LINK = "link_bytes_per_s"
INSTALLS = "installs_per_week"
UPDATES: Mapping[str, str] = {
    "code": "code_updates_per_week",
    "parameter": "parameter_updates_per_week",
    "model": "model_updates_per_week",
}
BYTES_PER_S_OF_MBIT = 125_000.0
MOST_WEIGHT = 5


@dataclass(frozen=True)
class Term:
    """A measured value times what the situation says: times each of `times`, over each of `per`."""

    key: str
    times: tuple[str, ...] = ()
    per: tuple[str, ...] = ()
    sign: float = 1.0

    def factor(self, situation: Mapping[str, float]) -> float:
        """Give what the value is multiplied by in a situation."""
        found = self.sign
        for name in self.times:
            found *= situation[name]
        for name in self.per:
            found /= situation[name]
        return found


@dataclass(frozen=True)
class Criterion:
    """A cost: the sum of its terms. Less is better.

    Args:
        name: Short, for the script.
        title: For people.
        says: What is added up.
        unit: Of the sum.
        floor: Costs below it are alike: smaller differences matter to nobody, and a ratio to zero says nothing.
        terms: What is added up.
        offset: Added to the sum.
    """

    name: str
    title: str
    says: str
    unit: str
    floor: float
    terms: tuple[Term, ...]
    offset: float = 0.0


@dataclass(frozen=True)
class Situation:
    """Where an application runs, and what counts there: weights from 0 to 5 by criterion; what is not named is 0."""

    name: str
    title: str
    setting: Mapping[str, float]
    weights: Mapping[str, int]


@dataclass(frozen=True)
class Setting:
    """A number of the situation that the reader can change; `multiple` is what one shown unit is in base units."""

    name: str
    title: str
    unit: str
    multiple: float
    least: float
    most: float


SETTINGS = (
    Setting(LINK, "Link to the machine", "Mbit/s", BYTES_PER_S_OF_MBIT, 0.01, 100_000),
    Setting(INSTALLS, "Installs on an empty machine", "a week", 1.0, 0, 10_000),
    Setting(UPDATES["code"], "Updates of code", "a week", 1.0, 0, 10_000),
    Setting(UPDATES["parameter"], "Updates of a parameter", "a week", 1.0, 0, 10_000),
    Setting(UPDATES["model"], "Updates of a model", "a week", 1.0, 0, 10_000),
)


def _each(
    pattern: str, changes: tuple[str, ...] = ("code", "parameter", "model"), **more: tuple[str, ...]
) -> tuple[Term, ...]:
    """Make a term for each kind of update: as often as it happens in a week."""
    return tuple(Term(pattern.format(change), (UPDATES[change],), more.get("per", ())) for change in changes)


BYTES = "update_bytes_wire{{change={}}}"

CRITERIA = (
    Criterion("latency", "Latency, median", "from the intended capture of a frame to its result", "s", 1e-4, (
        Term("inference_s"),
    )),
    Criterion("tail", "Latency, p95", "the same for the slowest twentieth", "s", 1e-4, (
        Term("inference_s{statistic=p95}"),
    )),
    Criterion("jitter", "Jitter", "p95 less median of the latency", "s", 1e-4, (Term("jitter_s"),)),
    Criterion("loss", "Frames lost", "share of the frames without a result", "1", 1e-3, (
        Term("frames_delivered_ratio", sign=-1.0),
    ), offset=1.0),
    Criterion("processor", "Processor", "cores in use", "1", 1e-3, (Term("cpu_cores"),)),
    Criterion("memory", "Memory", "working set of the application", "B", 1e6, (Term("memory_bytes"),)),
    Criterion("energy", "Energy", "above idle, for each frame", "J", 1e-3, (Term("energy_per_frame_j"),)),
    Criterion("install", "One install", "measured time to the first result, and the images over the link", "s", 0.1, (
        Term("ready_s"), Term("image_bytes_wire", per=(LINK,)),
    )),
    Criterion("traffic", "Bytes in a week", "of installs and updates, over the link", "B", 1e3, (
        Term("image_bytes_wire", (INSTALLS,)), *_each(BYTES),
    )),
    Criterion("update", "Update time in a week", "measured time to the first new result, and the bytes over the link",
        "s", 0.1, (*_each("update_s{{change={},stage=ready}}"), *_each(BYTES, per=(LINK,)))),
    Criterion("silence", "Silence in a week", "results that stay away while updates roll out", "s", 0.01,
        _each("service_gap_s{{change={},part=update}}")),
    Criterion("publish", "Build and push in a week", "before an update can roll out", "s", 0.1,
        _each("update_s{{change={},stage=publish}}", ("code", "model"))),
    Criterion("lines", "Lines changed in a week", "in the project and the stack's file", "1", 1.0,
        _each("config_lines_changed{{change={}}}")),
)  # fmt: skip


def _setting(link_mbit: float, installs: float, code: float, parameter: float, model: float) -> Mapping[str, float]:
    return {
        LINK: link_mbit * BYTES_PER_S_OF_MBIT,
        INSTALLS: installs,
        UPDATES["code"]: code,
        UPDATES["parameter"]: parameter,
        UPDATES["model"]: model,
    }


SITUATIONS = (
    Situation(
        "edge",
        "Edge: slow link, weekly updates",
        _setting(2, 0.05, 1, 1, 0.25),
        {"latency": 2, "tail": 2, "loss": 2, "processor": 2, "memory": 2, "energy": 1, "install": 1, "traffic": 4,
         "update": 4, "silence": 3},
    ),
    Situation(
        "control",
        "Control loop: latency first",
        _setting(100, 0.05, 0.25, 0.25, 0.1),
        {"latency": 4, "tail": 5, "jitter": 5, "loss": 5, "processor": 1, "silence": 3},
    ),
    Situation(
        "development",
        "Development: many changes a day",
        _setting(1000, 2, 50, 50, 2),
        {"latency": 1, "install": 2, "update": 5, "publish": 4, "lines": 2},
    ),
    Situation(
        "battery",
        "Battery: little power, little memory",
        _setting(20, 0.05, 0.5, 0.5, 0.1),
        {"latency": 1, "loss": 2, "processor": 4, "memory": 4, "energy": 5, "traffic": 1},
    ),
    Situation(
        "fleet",
        "Fleet: many new machines",
        _setting(50, 10, 1, 1, 0.25),
        {"latency": 1, "loss": 1, "processor": 1, "memory": 1, "install": 5, "traffic": 4, "update": 2, "silence": 1},
    ),
    Situation(
        "even",
        "Everything counts alike",
        _setting(20, 0.1, 1, 1, 0.25),
        dict.fromkeys((criterion.name for criterion in CRITERIA), 1),
    ),
)  # fmt: skip


def keys_needed() -> tuple[str, ...]:
    """Give every metric key that a criterion is made of, each once."""
    return tuple(dict.fromkeys(term.key for criterion in CRITERIA for term in criterion.terms))
