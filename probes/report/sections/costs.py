"""Tables of what it costs to run and to change: updates and swaps, resources, energy, network, and the noise floor."""

from collections.abc import Sequence

from probes.comparison import Row
from probes.report.amounts import SPACE, number, ratio, ratio_interval
from probes.report.blocks import all_missing, code_of, folded, measured_matrix, metric_matrix, paragraph, section, table
from probes.report.contents import Contents, place_labels
from probes.report.markup import Markup, join, tag
from probes.report.titles import split_key, title_of

UPDATES = (
    "update_s", "service_gap_s", "update_bytes_wire", "config_lines_changed", "config_files_changed",
    "config_objects_changed",
)  # fmt: skip
SWAPS = ("swap_s", "service_gap_s", "memory_after_swap_bytes", "memory_trend_bytes_per_swap", "memory_leak")
RESOURCES = (
    "cpu_cores", "memory_bytes", "cpu_limit_ratio", "cpu_throttled_ratio", "memory_limit_ratio", "memory_peak_bytes",
    "gpu_ratio", "gpu_memory_bytes", "io_read_bytes_per_s", "io_write_bytes_per_s",
)  # fmt: skip
ENERGY = ("power_w", "energy_per_frame_j", "energy_efficiency")
NETWORK = ("network_rtt_s", "network_bandwidth_bytes_per_s", "network_lost_ratio")
CHANGES = ("code", "parameter", "model")


def updates(contents: Contents) -> Markup:
    """Show what the same change costs in every pattern, and what the exchange of a node costs."""
    every = contents.rows(*UPDATES)
    by_change = {change: [row for row in every if f"change={change}" in row.key] for change in CHANGES}
    parts: list[Markup | None] = [
        paragraph(
            "The same change in every pattern, by the pattern's own means. Times begin with the start of the roll-out; "
            "building and pushing come before it."
        )
    ]
    for change, rows in by_change.items():
        if rows:
            ordered = sorted(rows, key=lambda row: _place(row, UPDATES))
            name = f"{'' if change == 'code' else 'a '}{change}"
            first = [row for row in ordered if _is_first(row)]
            more = [row for row in ordered if row not in first]
            parts += [
                tag("h3", f"Update of {name}"),
                measured_matrix(f"What an update of {name} costs", contents, first or more),
                folded(
                    "Roll-out, way back, files, objects",
                    measured_matrix(f"More about an update of {name}", contents, more),
                )
                if first and more
                else None,
            ]
    if not any(by_change.values()):
        parts = [all_missing(contents, [row for row in every if row.metric == "update_s"])]
    swaps = [row for row in contents.rows(*SWAPS) if row.metric != "service_gap_s" or "part=swap" in row.key]
    parts.append(tag("h3", "Swap of one node"))
    parts.append(measured_matrix("What a swap of one node costs", contents, swaps))
    return section("updates", "Updates and swaps", *parts)


def resources(contents: Contents) -> Markup:
    """Show processor, memory, GPU and disks."""
    return section("resources", "Resources", *_whole_and_places(contents, RESOURCES, "Use of resources"))


def energy(contents: Contents) -> Markup:
    """Show power and energy."""
    return section("energy", "Energy", *_whole_and_places(contents, ENERGY, "Power and energy"))


def network(contents: Contents) -> Markup:
    """Show what the network between the machines carries."""
    says = paragraph("Between the machine readers' pods, over UDP; not the application's own messages.")
    return section("network", "Network between machines", says, *_whole_and_places(contents, NETWORK, "Network"))


def _whole_and_places(contents: Contents, names: Sequence[str], caption: str) -> list[Markup | None]:
    """Show what is of the whole application, and by pod, container, machine or rail on demand."""
    rows = sorted(contents.rows(*names), key=lambda row: _place(row, names))
    if (said := all_missing(contents, rows)) is not None:
        return [said]
    whole = [row for row in rows if not place_labels(row)]
    places = [row for row in rows if place_labels(row) and any(cell.estimate is not None for cell in row.cells)]
    fold = (
        folded("By pod, container, machine or rail", metric_matrix(f"{caption}, place by place", contents, places))
        if places
        else None
    )
    return [measured_matrix(caption, contents, whole) if whole else None, fold]


def _is_first(row: Row) -> bool:
    """Tell whether a row of an update is shown at once."""
    return any(
        part in row.key for part in ("stage=publish", "stage=ready", "part=update", "bytes_wire", "lines_changed")
    )


def _place(row: Row, names: Sequence[str]) -> tuple[int, list[str]]:
    name, labels = split_key(row.key)
    return names.index(name), labels


def noise(contents: Contents) -> Markup | None:
    """Show what two measurements of one and the same stack differed by."""
    rows = [row for row in contents.comparison.rows if row.noise_floor is not None]
    if not rows:
        return None
    lines: list[tuple[str | Markup, ...]] = []
    for row in rows:
        floor = row.noise_floor
        if floor is None:
            continue
        lines.append(
            (
                join((tag("span", title_of(row.key), class_="title"), code_of(row.key))),
                floor.stack,
                ratio(floor.ratio),
                ratio_interval(floor.interval) if floor.interval else "–",
                str(floor.n),
                f"{number(row.noise_threshold * 100, 2)}{SPACE}%",
            )
        )
    head = ("metric", "stack", "second over first", "95 % interval", "pairs", "threshold used")
    return section(
        "noise",
        "Noise floor",
        paragraph(
            "An A/A control measured one stack as if it were two, in the same campaign. Differences that it shows are "
            "noise, so a verdict needs a larger one."
        ),
        table("What two measurements of one stack differ by", head, lines, numbers=(2, 3, 4, 5)),
    )
