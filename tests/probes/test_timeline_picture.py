"""The way to the first message as a picture and a table, from the record's rows alone."""

from probes.tables import rows_table
from probes.timeline_picture import chosen_repetition, timeline_parts, timeline_rows, timeline_svg

MS = 1_000_000


def row(repetition: int, stage: str, span: tuple[int, int] | str, pod: str = "") -> dict[str, object]:
    known = not isinstance(span, str)
    return {
        "repetition": repetition,
        "pod": pod,
        "stage": stage,
        "from_ns": span[0] * MS if known else None,
        "to_ns": span[1] * MS if known else None,
        "source": "watch..sample" if known else "",
        "resolution_ns": MS if known else None,
        "missing": None if known else span,
    }


def test_the_repetition_with_the_median_time_is_drawn() -> None:
    rows = [row(number, "api", (0, length)) for number, length in enumerate((900, 100, 300))]
    assert chosen_repetition(rows_table("timeline", rows)) == 2
    assert chosen_repetition(rows_table("timeline", ())) is None


def test_lanes_spans_and_their_sources_are_in_the_picture() -> None:
    rows = [
        row(0, "api", (0, 400)),
        row(0, "first_message", (400, 1000)),
        row(0, "model_load", "no_startup_probe"),
        row(0, "created", (0, 300), "<camera>"),
    ]
    drawn = timeline_svg(rows_table("timeline", rows), 0)
    assert drawn.count("<rect") == 3
    for part in ("application", "&lt;camera&gt;", "1.00 s", "first_message: 0.600 s, watch..sample, ± 1 ms"):
        assert part in drawn
    assert "<camera>" not in drawn
    assert timeline_rows(rows_table("timeline", rows), 0)[2] == (
        "application",
        "model_load",
        "missing (no_startup_probe)",
        "",
        "",
    )


def test_nothing_deployed_is_said() -> None:
    picture, lines = timeline_parts(rows_table("timeline", [row(0, "api", "not_seen")]))
    assert "--cycles install" in picture
    assert lines == ()
