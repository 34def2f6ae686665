"""Which supply rails make up a machine's total power; pure.

Where the board measures its input, that rail is the total and the others are parts of it. Some
boards measure no input: there the sum of the rails that NVIDIA lists for the module is the usual
proxy. A board that is neither has no total, because rails may feed one another.
"""

from collections.abc import Collection, Sequence

from ros2bench_machine_reader.sources import Row

RAIL, IS_TOTAL = 2, 5
"""Places in a row of kind `power`."""

INPUT_RAILS = ('VDD_IN', 'VIN', 'POM_5V_IN')
"""In this order: TX2, Xavier NX, Orin NX and Nano; Thor; TX1 and Nano."""

SUMS = (
    ({'VDD_GPU_SOC', 'VDD_CPU_CV', 'VIN_SYS_5V0'}, {'VDDQ_VDD2_1V8AO'}),
    ({'GPU', 'CPU', 'SOC', 'CV', 'VDDRQ', 'SYS5V'}, set[str]()),
)
"""AGX Orin, AGX Xavier: rails that must be there, and rails that only some releases show."""


def total_rails(names: Collection[str]) -> frozenset[str]:
    """Give the rails whose sum is the machine's total: one, several (a proxy), or none."""
    for name in INPUT_RAILS:
        if name in names:
            return frozenset({name})
    for needed, further in SUMS:
        if needed <= set(names):
            return frozenset(needed | (further & set(names)))
    return frozenset()


def known_totals(before: frozenset[str], rows: Sequence[Row]) -> frozenset[str]:
    """Give the rails that make up the total, by all rows so far.

    Args:
        before: those known before these rows.
        rows: of kind `power`; where none is marked they tell nothing of it.
    """
    told = {row[RAIL] for row in rows if row[IS_TOTAL]}
    return (before - {row[RAIL] for row in rows}) | told if told else before


def marked(rows: Sequence[Row], totals: frozenset[str]) -> list[Row]:
    """Mark the rows that make up the total; none where one of its rails has no row.

    A sum of some of them would be taken for the machine's power.
    """
    told = totals if totals <= {row[RAIL] for row in rows} else frozenset[str]()
    return [(*row[:IS_TOTAL], row[RAIL] in told) for row in rows]
