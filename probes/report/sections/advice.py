"""What containers ask for, what they used in the window, and what the recommender says; where a stack asks."""

from collections.abc import Mapping, Sequence
from typing import Any

from probes.report.amounts import DASH, SPACE, amount, number
from probes.report.blocks import paragraph, section, table
from probes.report.contents import Contents, Manifest
from probes.report.markup import Markup
from probes.report.strips import named

HEAD = ("stack", "pod", "container", "resource", "asked", "used", "least", "recommended", "most")
NUMBERS = (4, 5, 6, 7, 8)
USED = {"cpu": "cpu_cores", "memory": "memory_bytes"}
NONE_YET = "none yet"


def advice(contents: Contents) -> Markup | None:
    """Show the last advice of each contender's newest run; None where no stack asks for any."""
    known = [(subject, said) for subject in contents.subjects if (said := last_advice(subject.newest)) is not None]
    if not known:
        return None
    lines = [
        (named(subject.place, subject.name), *cells(line, subject.newest))
        for subject, said in known
        for line in said["containers"]
    ]
    silent = [f"{subject.name} ({said['missing']})" for subject, said in known if said["missing"] is not None]
    return section(
        "advice",
        "Asked, used, recommended",
        paragraph(
            "Used is the mean in the windows of the newest run, as the machine readers saw it. The recommendation is "
            "that of the Vertical Pod Autoscaler after the last window, from what it saw since it began to look: below "
            "least is too little, above most is wasted. It changes nothing by itself."
        ),
        table("What containers ask for, use and should ask for", HEAD, lines, numbers=NUMBERS) if lines else None,
        paragraph(f"The recommender did not answer for: {', '.join(silent)}.") if silent else None,
    )


def last_advice(manifest: Manifest) -> Mapping[str, Any] | None:
    """Advice of the last repetition that has some."""
    repetitions: Sequence[Mapping[str, Any]] = manifest.get("repetitions") or ()
    found = [each["recommendations"] for each in repetitions if each.get("recommendations")]
    return found[-1] if found else None


def cells(line: Mapping[str, Any], manifest: Manifest) -> tuple[str, ...]:
    """One line of advice as text."""
    unit = str(line["unit"])
    key = f"{USED[line['resource']]}{{container={line['container']},pod={line['pod']}}}"
    measured = manifest.get("metrics", {}).get(key, {}).get("value")
    used = line.get("used") if measured is None else measured
    bounds = [_shown(line[name], unit) for name in ("lower", "target", "upper")]
    if line["missing"] is not None:
        bounds[1] = NONE_YET
    return (line["pod"], line["container"], line["resource"], _shown(line["asked"], unit), _shown(used, unit), *bounds)


def _shown(value: float | None, unit: str) -> str:
    if value is None:
        return DASH
    return f"{number(value, 3)}{SPACE}cores" if unit == "1" else amount(value, unit)
