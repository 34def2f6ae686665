"""`python -m probes.report`: one self-contained HTML page of a run, which opens without a network."""

import html
import json
import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from string import Template
from typing import Annotated, Any

import numpy as np
import plotly.graph_objects as go
import polars as pl
import typer
from plotly.offline import get_plotlyjs

from probes.catalogue import meaning_of, place_of
from probes.console import Screen, quantity, reasons, sentence
from probes.errors import ProbeError, UsageError
from probes.placement import placement_svg
from probes.samples import ABSENT
from probes.spool import MANIFEST_FILE, RunFolder, Spool
from probes.store import Store, open_store
from probes.tables import decode_table, rows_table
from probes.timeline_picture import timeline_parts
from stacks.outputs import Records

app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)
TEMPLATE = Path(__file__).with_name("report_template.html")
MOST_POINTS = 2_000
REGIMES = {
    "warm": "Install times are of the warm regime: the images were on the machines already.",
    "image_cold": "Install times are of the regime image_cold: no image of the application was on any machine.",
    "pristine": "Install times are of the regime pristine: neither images nor volumes of the application were there.",
}
THIN, THICK = "rgba(110,130,160,0.55)", "#0b68cb"


@dataclass(frozen=True)
class Record:
    """A record as read back: its manifest, its samples, and the way to the first message."""

    manifest: Mapping[str, Any]
    samples: pl.DataFrame
    timeline: pl.DataFrame


def read_record(source: str | None, spool: Spool) -> Record:
    """Read a record from the spool (identifier, or the newest), a folder, or a store (`s3://…/manifest.json`).

    Raises:
        UsageError: There is nothing to report there.
        StoreUnavailable: The store cannot be read.
    """
    if source and source.startswith("s3://"):
        base = source.removesuffix(MANIFEST_FILE).rstrip("/") + "/"
        records = Records(
            bucket="",
            endpoint=os.environ.get("ROS2BENCH_RECORDS_ENDPOINT"),
            region=os.environ.get("AWS_DEFAULT_REGION", "us-east-1"),
            prefix="",
        )
        store: Store = open_store(base, records)
        manifest = json.loads(store.get(MANIFEST_FILE))
        return _record(manifest, store.get)
    if source and (Path(source) / MANIFEST_FILE).exists():
        return _from_folder(Path(source))
    if source and Path(source).name == MANIFEST_FILE and Path(source).exists():
        return _from_folder(Path(source).parent)
    folder = spool.find(source) if source else _newest(spool)
    if not folder.is_sealed:
        raise UsageError(
            f"Run {folder.run_id} is not sealed: there is no record to report yet.",
            next_step="python -m probes.doctor",
        )
    return _from_folder(folder.sealed)


def _from_folder(folder: Path) -> Record:
    manifest = json.loads((folder / MANIFEST_FILE).read_bytes())
    return _record(manifest, lambda name: (folder / name).read_bytes())


def _record(manifest: Mapping[str, Any], read: Callable[[str], bytes]) -> Record:
    """Read the tables that the page needs; a record of an earlier version has no timeline."""
    listed = {part["name"] for part in manifest["parts"]}
    samples = decode_table(read("samples.parquet"))
    has_timeline = "timeline.parquet" in listed
    return Record(
        manifest, samples, decode_table(read("timeline.parquet")) if has_timeline else rows_table("timeline", ())
    )


def _newest(spool: Spool) -> RunFolder:
    sealed = [folder for folder in spool.runs() if folder.is_sealed]
    if not sealed:
        raise UsageError(f"There is no sealed run in {spool.root}.", next_step="python -m probes.run")
    return sealed[-1]


def latencies_by_repetition(record: Record) -> dict[int, np.ndarray[tuple[int], np.dtype[np.float64]]]:
    """Give the latency of each frame in milliseconds: first arrival, inside the window, on the result topic."""
    topics: Sequence[Mapping[str, Any]] = record.manifest["outputs"]["application"]["topics"]
    result = next((topic["name"] for topic in topics if topic["isResult"]), topics[0]["name"])
    if "missing" in record.manifest["metrics"]["inference_s"]:
        return {}
    frames = (
        record.samples.filter(pl.col("in_window") & (pl.col("topic") == result) & (pl.col("intended_ns") != ABSENT))
        .sort("received_ns")
        .unique(["repetition", "frame_number"], keep="first")
        .with_columns(latency_ms=(pl.col("received_ns") - pl.col("intended_ns")) / 1e6)
    )
    return {
        int(repetition[0]): np.sort(group["latency_ms"].to_numpy())
        for repetition, group in sorted(frames.group_by("repetition"), key=lambda item: str(item[0]))
    }


def ecdf_points(values: np.ndarray[Any, np.dtype[np.float64]]) -> tuple[list[float], list[float]]:
    """Give the steps of an empirical distribution, thinned evenly where there are very many; the ends always stay."""
    size = values.size
    picked = np.unique(np.linspace(0, size - 1, min(size, MOST_POINTS)).round().astype(int))
    return [float(value) for value in values[picked]], [float((index + 1) / size) for index in picked]


def ecdf_figure(latencies: Mapping[int, np.ndarray[Any, np.dtype[np.float64]]]) -> str:
    """Draw the distributions as an HTML fragment with the drawing library inlined."""
    if not latencies:
        return "<p>No latency was measured; the reasons are below.</p>"
    figure = go.Figure()
    for repetition, values in latencies.items():
        x, y = ecdf_points(values)
        name = f"repetition {repetition + 1}"
        figure.add_trace(go.Scatter(x=x, y=y, name=name, line={"width": 1, "color": THIN, "shape": "hv"}))
    x, y = ecdf_points(np.sort(np.concatenate(list(latencies.values()))))
    figure.add_trace(go.Scatter(x=x, y=y, name="all", line={"width": 3, "color": THICK, "shape": "hv"}))
    figure.update_layout(
        xaxis_title="result arrived after the frame was due, ms",
        yaxis_title="share of frames",
        yaxis_range=[0, 1.01],
        margin={"l": 60, "r": 20, "t": 20, "b": 50},
        height=420,
        template="plotly_white",
    )
    fragment = figure.to_html(full_html=False, include_plotlyjs=False, config={"displaylogo": False})
    return f"<script>{get_plotlyjs()}</script>\n{fragment}"


def limits_of(manifest: Mapping[str, Any]) -> list[str]:
    """Say what must not be read into this run."""
    machines = manifest["machines"]
    names = ", ".join(machine["name"] for machine in machines)
    lines = [
        f"One run, on one day, on: {names}. Other machines give other numbers.",
        "Intervals come from repetitions of this run; they hold no drift between days or deployments.",
    ]
    if manifest["repetitions_done"] < 3:
        lines.append("Fewer than three repetitions: no interval can be given.")
    elif manifest["repetitions_done"] < 10:
        lines.append(
            f"{manifest['repetitions_done']} repetitions: bootstrap intervals of so few values are rather too narrow."
        )
    if len({machine["boot_id"] for machine in machines}) < len(machines):
        lines.append("Machines share one kernel (a lab): the network between them is memory, cores are shared.")
    if manifest["cycle_regime"]:
        lines.append(REGIMES[manifest["cycle_regime"]])
    if (floor := manifest.get("noise_floor")) is not None:
        lines.append(_noise_line(floor))
    if manifest["state"] != "complete":
        lines.append(f"This run is {manifest['state']} ({manifest['reason']}): do not compare it.")
    lines += [str(finding["message"]) for finding in manifest["findings"]]
    return lines


def _noise_line(floor: Mapping[str, Any]) -> str:
    """Say how far two measurements of one and the same stack lay apart in this campaign."""
    said = [
        f"{key} {entry['median_ratio']:.3f}"
        + (f" ({entry['interval'][0]:.3f} to {entry['interval'][1]:.3f})" if entry["interval"] else "")
        for key, entry in floor["ratios"].items()
    ]
    return (
        f"A/A control on {floor['stack']}: differences within these ratios are noise: {', '.join(said) or 'none told'}."
    )


def render(record: Record) -> str:
    """Make the page."""
    manifest = record.manifest
    picture, stages = timeline_parts(record.timeline)
    plan, git = manifest["plan"], manifest["git"]
    commit = git["revision"] or "unknown"
    facts = {
        "run": manifest["run_id"],
        "created": manifest["created_at"],
        "commit": f"{commit}{', with local changes' if git['is_dirty'] else ''}",
        "repetitions": f"{manifest['repetitions_done']} of {plan['repetitions']}, cycles: {plan['cycles']}",
        "durations": ", ".join(f"{name} {value:g}" for name, value in plan["durations"].items()),
        "load of the application": json.dumps(manifest["outputs"]["application"]["load"]),
        "network": json.dumps(manifest["outputs"]["network"]),
        "images": ", ".join(f"{name}: {image}" for name, image in manifest["images"].items()),
        "runner": json.dumps(manifest["operator"]),
    }
    return Template(TEMPLATE.read_text(encoding="utf-8")).substitute(
        title=html.escape(f"What stack {manifest['stack']} costs (pattern {manifest['pattern']})"),
        subtitle=html.escape(f"run {manifest['run_id']}, {manifest['created_at']}"),
        sentence=html.escape(sentence(manifest)),
        limits="\n".join(f"<li>{html.escape(line)}</li>" for line in limits_of(manifest)),
        timeline=picture,
        stages="\n".join(_row(line) for line in stages),
        figure=ecdf_figure(latencies_by_repetition(record)),
        values="\n".join(_value_rows(manifest["metrics"])),
        missing="\n".join(_row((reason, ", ".join(names))) for reason, names in reasons(manifest["metrics"]).items()),
        gates="\n".join(
            _row(
                (
                    f"{gate['name']}, repetition {gate['repetition'] + 1}",
                    "passed" if gate["passed"] else "FAILED",
                    gate["detail"],
                )
            )
            for gate in manifest["gates"]
        ),
        placement=placement_svg(manifest["outputs"]["application"]["pods"]),
        machines="\n".join(
            _row(
                (
                    machine["name"],
                    f"{machine['os_image']}, {machine['architecture']}",
                    machine["kernel"],
                    f"{machine['container_runtime']}, kubelet {machine['kubelet']}",
                    f"{machine['allocatable'].get('cpu', '?')} cpu, {machine['allocatable'].get('memory', '?')}",
                )
            )
            for machine in manifest["machines"]
        ),
        facts="\n".join(
            f"<tr><th>{html.escape(name)}</th><td><code>{html.escape(str(value))}</code></td></tr>"
            for name, value in facts.items()
        ),
    )


def _value_rows(metrics: Mapping[str, Mapping[str, Any]]) -> Iterable[str]:
    for key in sorted(metrics, key=place_of):
        entry = metrics[key]
        if "missing" in entry:
            continue
        low_high = entry["interval"]
        interval = " to ".join(quantity(bound, entry["unit"]) for bound in low_high) if low_high else "-"
        cells = (quantity(entry["value"], entry["unit"]), interval, str(entry["n"]))
        numbers = "".join(f'<td class="number">{html.escape(cell)}</td>' for cell in cells)
        yield f"<tr><td>{html.escape(key)}</td>{numbers}<td>{html.escape(meaning_of(key))}</td></tr>"


def _row(cells: Iterable[str]) -> str:
    return "<tr>" + "".join(f"<td>{html.escape(cell)}</td>" for cell in cells) + "</tr>"


@app.command()
def report(
    run: Annotated[
        str | None,
        typer.Argument(help="Run identifier (or a part), folder, or s3://…/manifest.json. Default: the newest."),
    ] = None,
    output: Annotated[Path, typer.Option("-o", "--output", help="Page to write.")] = Path("report.html"),
) -> None:
    """Write one HTML page of a run: distribution, values, what is missing and why, machines, limits."""
    screen = Screen()
    try:
        page = render(read_record(run, Spool()))
        try:
            output.write_text(page, encoding="utf-8")
        except OSError as error:
            raise UsageError(
                f"The page cannot be written to {output}: {error.strerror}.", next_step="name another file with -o"
            ) from None
    except ProbeError as problem:
        screen.error(problem)
        raise typer.Exit(problem.exit_code) from None
    screen.line(f"report: {output} ({output.stat().st_size / 1e6:.1f} MB, opens without a network)")


if __name__ == "__main__":
    app()
