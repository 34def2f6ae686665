"""Units of queries and panels: base units of SI and what is counted; no other text is a unit here."""

from enum import StrEnum


class Unit(StrEnum):
    """What a value is measured in. The value is how people write it; `1` is a bare count."""

    SECONDS = "s"
    HERTZ = "Hz"
    RATIO = "ratio"
    COUNT = "1"
    CORES = "cores"
    BYTES = "B"
    BYTES_PER_SECOND = "B/s"
    PER_SECOND = "1/s"
    WATTS = "W"
    JOULES = "J"
    CELSIUS = "°C"
    VOLTS = "V"
    RADIANS = "rad"
    RADIANS_PER_SECOND = "rad/s"
    NEWTON_METERS = "N·m"
    METERS_PER_SECOND = "m/s"
