"""One line of tegrastats, from JetPack 4 to 7, as values; pure, never raises, guesses nothing.

    [MM-DD-YYYY HH:MM:SS] RAM used/totalMB (lfb NxMMB) [SWAP …] [IRAM …] CPU [load%@MHz|off,…]
    engines       NAME off | NAME MHz | NAME load% | NAME load%@MHz | NAME load%@[MHz,…] | NAME @MHz
    temperatures  name@T C | name@T C/T C           (-256: the sensor has no power)
    rails         RAIL now[mW][/average[mW][/maximum[mW]]]

A piece that fits none of these is kept as it stands in `unknown`: a number whose unit or shape is
not certain is not a number.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

LONGEST_LINE = 16_384
NOT_CONNECTED = 'NC'
GATED_C = -256.0
UNIT_BYTES = {'B': 1, 'kB': 1 << 10, 'MB': 1 << 20, 'GB': 1 << 30}
NEVER_RAIL_NOR_ENGINE = frozenset({'RAM', 'SWAP', 'IRAM', 'CPU', 'MTS'})
"""Words that begin a piece of their own; followed by something else they were cut."""

Match = re.Match[str]


@dataclass(frozen=True)
class Memory:
    """A memory: bytes in use and bytes in all."""

    used_bytes: int
    total_bytes: int


@dataclass(frozen=True)
class Core:
    """A processor core that is on."""

    load_percent: int
    clock_mhz: int


@dataclass(frozen=True)
class Engine:
    """A clocked unit: GPU (`GR3D`), memory controller, codecs. Off: no load and no clocks."""

    name: str
    is_on: bool
    load_percent: int | None = None
    clocks_mhz: tuple[int, ...] = ()


@dataclass(frozen=True)
class Temperature:
    """A sensor; `celsius` is None where its part of the chip has no power."""

    name: str
    celsius: float | None
    maximum_celsius: float | None = None


@dataclass(frozen=True)
class Rail:
    """Power of one supply rail now; a little below zero is the sensor's offset."""

    name: str
    power_mw: int
    average_mw: int | None = None
    maximum_mw: int | None = None
    has_unit: bool = True

    @property
    def shape(self) -> tuple[str, int, bool]:
        """What does not change from line to line unless a line was cut."""
        numbers = 1 + (self.average_mw is not None) + (self.maximum_mw is not None)
        return self.name, numbers, self.has_unit


@dataclass(frozen=True)
class Line:
    """Everything a line says. `cores` has None for a core that is off."""

    stamp: str | None = None
    ram: Memory | None = None
    swap: Memory | None = None
    iram: Memory | None = None
    cores: tuple[Core | None, ...] = ()
    engines: tuple[Engine, ...] = ()
    temperatures: tuple[Temperature, ...] = ()
    rails: tuple[Rail, ...] = ()
    unknown: tuple[str, ...] = ()

    @property
    def shape(self) -> tuple[tuple[str, int, bool], ...]:
        """Names and forms of all rails, in order."""
        return tuple(rail.shape for rail in self.rails)

    def engine(self, name: str) -> Engine | None:
        """Give an engine by its name, without `_FREQ`."""
        return next((engine for engine in self.engines if engine.name == name), None)

    def temperature(self, name: str) -> Temperature | None:
        """Give a sensor by its name; JetPack 6 writes in lower case what was in upper case."""
        wanted = name.lower()
        return next((one for one in self.temperatures if one.name.lower() == wanted), None)


@dataclass
class _Found:
    single: dict[str, Any] = field(default_factory=dict)
    cores: list[Core | None] = field(default_factory=list)
    engines: list[Engine] = field(default_factory=list)
    temperatures: list[Temperature] = field(default_factory=list)
    rails: list[Rail] = field(default_factory=list)
    unknown: list[str] = field(default_factory=list)

    def only(self, key: str, value: Any) -> bool:
        """Take what a line says once; a second one is unknown."""
        if key in self.single:
            return False
        self.single[key] = value
        return True


def parse_line(text: str) -> Line:
    """Read one line, without its end; of one that is too long nothing is read."""
    if len(text) > LONGEST_LINE:
        return Line(unknown=('line too long',))
    found = _Found()
    end = 0
    for start in WORD_STARTS.finditer(text):
        if start.start() >= end:
            end = _piece_at(text, start.start(), found)
    return Line(
        cores=tuple(found.cores),
        engines=tuple(found.engines),
        temperatures=tuple(found.temperatures),
        rails=tuple(found.rails),
        unknown=tuple(found.unknown),
        **found.single,
    )


def _piece_at(text: str, position: int, found: _Found) -> int:
    """Take the piece that begins here, known or not; give the place behind it."""
    for pattern, take in PIECES:
        match = pattern.match(text, position)
        if match is not None and take(match, found):
            return match.end()
    word = text[position:].split(None, 1)[0]
    found.unknown.append(word)
    return position + len(word)


def _stamp(match: Match, found: _Found) -> bool:
    return found.only('stamp', match.group())


def _memory(match: Match, found: _Found) -> bool:
    unit = UNIT_BYTES[match['unit']]
    memory = Memory(int(match['used']) * unit, int(match['total']) * unit)
    return found.only(match['name'].lower(), memory)


def _cores(match: Match, found: _Found) -> bool:
    if found.cores:
        return False
    for text in match['cores'].split(','):
        load, _, clock = text.partition('%@')
        found.cores.append(None if text == 'off' else Core(int(load), int(clock)))
    return True


def _mts(match: Match, found: _Found) -> bool:
    found.engines.append(Engine('MTS fg', is_on=True, load_percent=int(match['foreground'])))
    found.engines.append(Engine('MTS bg', is_on=True, load_percent=int(match['background'])))
    return True


def _temperature(match: Match, found: _Found) -> bool:
    maximum = match['maximum']
    found.temperatures.append(
        Temperature(
            match['name'], _celsius(match['now']), None if maximum is None else _celsius(maximum)
        )
    )
    return True


def _celsius(text: str) -> float | None:
    value = float(text)
    return None if value == GATED_C else value


def _rail(match: Match, found: _Found) -> bool:
    numbers = match['numbers'].split('/')
    units = {number.endswith('mW') for number in numbers}
    name = match['name']
    if len(units) != 1 or name in NEVER_RAIL_NOR_ENGINE - {'CPU'}:
        return False
    # Before JetPack 5 there is no unit; then only now/average tells a rail from a clock.
    if units == {False} and (len(numbers) == 1 or name.endswith('_FREQ')):
        return False
    # AGX Xavier has a rail of this name behind its cores; elsewhere it is a cut piece of them.
    if units == {False} and name == 'CPU' and not found.cores:
        return False
    values = [int(number.removesuffix('mW')) for number in numbers]
    average, maximum = (*values[1:], None, None)[:2]
    found.rails.append(Rail(name, values[0], average, maximum, has_unit=True in units))
    return True


def _engine(match: Match, found: _Found) -> bool:
    if match['name'] in NEVER_RAIL_NOR_ENGINE:
        return False
    clocks = (match['clocks'] or match['clock'] or match['plain'] or '').split(',')
    found.engines.append(
        Engine(
            match['name'].removesuffix('_FREQ'),
            is_on=match['off'] is None,
            load_percent=None if match['load'] is None else int(match['load']),
            clocks_mhz=tuple(int(clock) for clock in clocks if clock),
        )
    )
    return True


def _pattern(text: str) -> re.Pattern[str]:
    return re.compile(text + r'(?=\s|$)', re.ASCII)


NAME = r'(?P<name>[A-Za-z][A-Za-z0-9_]{0,63})'
MEMORY = r'(?P<used>\d{1,9})/(?P<total>\d{1,9})(?P<unit>[kMG]?B)'
SIZE = r'\d{1,9}[kMG]?B'
LOAD = r'\d{1,3}%'
CLOCK = r'\d{1,7}'
POWER = r'-?\d{1,7}(?:mW)?'
DEGREES = r'-?\d{1,4}(?:\.\d{1,6})?'
CORE = rf'(?:off|{LOAD}@{CLOCK})'
CLOCKS = rf'(?P<clock>{CLOCK})|\[(?P<clocks>{CLOCK}(?:,{CLOCK}){{0,31}})\]'
WORD_STARTS = re.compile(r'(?<!\S)\S')

PIECES: tuple[tuple[re.Pattern[str], Callable[[Match, _Found], bool]], ...] = (
    (_pattern(r'\d{2}-\d{2}-\d{4} \d{2}:\d{2}:\d{2}'), _stamp),
    (_pattern(rf'(?P<name>RAM) {MEMORY}(?: \(lfb \d{{1,9}}x{SIZE}\))?'), _memory),
    (_pattern(rf'(?P<name>SWAP) {MEMORY}(?: \(cached {SIZE}\))?'), _memory),
    (_pattern(rf'(?P<name>IRAM) {MEMORY}(?: ?\(lfb {SIZE}\))?'), _memory),
    (_pattern(rf'CPU \[(?P<cores>{CORE}(?:,{CORE}){{0,1023}})\]'), _cores),
    (_pattern(r'MTS fg (?P<foreground>\d{1,3})% bg (?P<background>\d{1,3})%'), _mts),
    (_pattern(rf'{NAME}@(?P<now>{DEGREES})C(?:/(?P<maximum>{DEGREES})C)?'), _temperature),
    (_pattern(rf'{NAME} (?P<numbers>{POWER}(?:/{POWER}){{0,2}})'), _rail),
    (
        _pattern(
            rf'{NAME} (?:(?P<off>off)|(?P<plain>{CLOCK})'
            rf'|(?=[@\d])(?:(?P<load>\d{{1,3}})%)?(?:@(?:{CLOCKS}))?)'
        ),
        _engine,
    ),
)
"""Tried in this order: a power with its unit is a rail, a lone number without one is a clock."""
