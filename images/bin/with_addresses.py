#!/usr/bin/env python3
"""`with_addresses.py COMMAND …`: runs a command after turning the names in its DDS discovery variables into addresses.

ROS_STATIC_PEERS and ROS_DISCOVERY_SERVER are lists with semicolons. DDS asks for names once and does not wait, while
the name of a pod exists only once the pod has its address: so unknown names are asked for again, four times a second.
Names in ROS2BENCH_OPTIONAL_PEERS are asked for once, and those that are known become static peers too: for whoever is
there before the others, and still must find them when it starts again later.
"""

import os
import re
import signal
import socket
import sys
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor

VARIABLES = ("ROS_STATIC_PEERS", "ROS_DISCOVERY_SERVER")
PEERS_VARIABLE = "ROS_STATIC_PEERS"
OPTIONAL_VARIABLE = "ROS2BENCH_OPTIONAL_PEERS"
LIMIT_VARIABLE = "ROS2BENCH_NAME_LIMIT_S"
DEFAULT_LIMIT_S = "120"
PERIOD_S = 0.25
# A name of the cluster is there by then, or it is none of the cluster.
ELSEWHERE_AFTER_S = 3.0
RESOLVER_FILE = "/etc/resolv.conf"
# Of the C library: one try of a second, because everything that is unknown is asked for again anyway.
RESOLVER_VARIABLE = "RES_OPTIONS"
RESOLVER_OPTIONS = "timeout:1 attempts:1"
EXIT_USAGE = 2
EXIT_UNKNOWN_NAME = 3
EXIT_COMMAND_NOT_FOUND = 127
# A host name, with or without a port; IPv6 addresses and locators such as TCPv4:[…] are no names.
NAMED = re.compile(r"(?P<name>[A-Za-z0-9_.-]*[A-Za-z_-][A-Za-z0-9_.-]*)(?P<port>:\d+)?")


def names_in(values: Iterable[str]) -> list[str]:
    """Every host name in lists with semicolons, each once, in their order."""
    entries = [NAMED.fullmatch(entry.strip()) for value in values for entry in value.split(";")]
    return list(dict.fromkeys(entry["name"] for entry in entries if entry))


def with_addresses(value: str, addresses: Mapping[str, str]) -> str:
    """The same list with addresses in the places of the names; an empty entry keeps its place."""

    def replaced(entry: str) -> str:
        found = NAMED.fullmatch(entry.strip())
        return addresses[found["name"]] + (found["port"] or "") if found else entry

    return ";".join(replaced(entry) for entry in value.split(";"))


def candidates(name: str, resolver_file: str, *, elsewhere: bool = True) -> list[str]:
    """A name as it is asked for: as that of a Service of the cluster first, in full, then as it is.

    A short name that the cluster does not know yet would be passed on to the name servers of the site, and one that
    does not answer costs seconds each time.

    Args:
        name: what is looked for.
        resolver_file: content of /etc/resolv.conf.
        elsewhere: whether a name that may be a Service's is asked for as it is, too.
    """
    lines = [line.split() for line in resolver_file.splitlines()]
    domains = [domain.rstrip(".") for words in lines if words[:1] == ["search"] for domain in words[1:]]
    services = [f"{name}.{domain}." for domain in domains if ".svc." in domain and "." not in name]
    return [*services, name] if elsewhere or not services else services


def ask(name: str, elsewhere: bool) -> str | None:
    """First IPv4 address of a name; None while nobody knows it."""
    try:
        with open(RESOLVER_FILE, encoding="utf-8", errors="replace") as file:  # noqa: PTH123 - pathlib costs every start milliseconds
            resolver_file = file.read()
    except OSError:
        resolver_file = ""
    for candidate in candidates(name, resolver_file, elsewhere=elsewhere):
        try:
            return str(socket.getaddrinfo(candidate, None, socket.AF_INET, socket.SOCK_DGRAM)[0][4][0])
        except (OSError, UnicodeError):
            continue
    return None


def resolve(
    names: Sequence[str],
    limit_s: float,
    ask_one: Callable[[str, bool], str | None] = ask,
    clock: Callable[[], float] = time.monotonic,
    sleep: Callable[[float], None] = time.sleep,
) -> dict[str, str]:
    """Addresses of names, asked for until all are known or the time is up; first of all in the cluster alone.

    Returns:
        Name to address; a name that nobody knew in time is absent.
    """
    known: dict[str, str] = {}
    began_s = clock()
    while True:
        elsewhere = clock() - began_s >= ELSEWHERE_AFTER_S
        known.update({name: address for name in names if name not in known and (address := ask_one(name, elsewhere))})
        if len(known) == len(names) or clock() - began_s >= limit_s:
            return known
        sleep(PERIOD_S)


def with_optional(peers: str, optional: str, ask_one: Callable[[str, bool], str | None] = ask) -> str:
    """List of peers with the addresses of those optional names added that are known now, in the cluster if it is one.

    All are asked for at once: a name that nobody knows may cost a name server seconds.
    """
    names = names_in([optional])
    if not names:
        return peers
    with ThreadPoolExecutor(len(names)) as pool:
        found = [address for address in pool.map(ask_one, names, [False] * len(names)) if address]
    return ";".join([entry for entry in (peers, *found) if entry])


def time_limit_s(text: str) -> float | None:
    """Seconds to wait for names; None where the text is no such number."""
    return float(text) if re.fullmatch(r"\d+(\.\d+)?", text) else None


def main() -> int:
    """Resolve the names, then become the command; returns only where that is impossible."""
    # The first process of a container gets no signal for which it has no handler of its own.
    signal.signal(signal.SIGTERM, _end)
    command = sys.argv[1:]
    if not command:
        return _refuse("no command is given; usage: with_addresses.py COMMAND …", EXIT_USAGE)
    limit = os.environ.get(LIMIT_VARIABLE, DEFAULT_LIMIT_S)
    limit_s = time_limit_s(limit)
    if limit_s is None:
        return _refuse(f"{LIMIT_VARIABLE} is {limit!r} but must be a number of seconds", EXIT_USAGE)
    lists = {name: os.environ[name] for name in VARIABLES if os.environ.get(name)}
    names = names_in(lists.values())
    inherited = dict(os.environ)
    os.environ.setdefault(RESOLVER_VARIABLE, RESOLVER_OPTIONS)
    addresses = resolve(names, limit_s)
    unknown = {
        variable: missing
        for variable, value in lists.items()
        if (missing := [name for name in names_in([value]) if name not in addresses])
    }
    if unknown:
        where = "; ".join(f"{', '.join(missing)} (in {variable})" for variable, missing in unknown.items())
        return _refuse(
            f"unknown names after {limit_s:g} s: {where}. Their pods have no address yet, or the cluster's DNS "
            "cannot be reached: kubectl get pods,endpoints",
            EXIT_UNKNOWN_NAME,
        )
    environment = inherited | {name: with_addresses(value, addresses) for name, value in lists.items()}
    peers = with_optional(environment.get(PEERS_VARIABLE, ""), os.environ.get(OPTIONAL_VARIABLE, ""))
    environment |= {PEERS_VARIABLE: peers} if peers else {}
    try:
        os.execvpe(command[0], command, environment)  # noqa: S606 - becomes the command, as exec of a shell does
    except OSError as error:
        return _refuse(f"{command[0]} cannot be started: {error.strerror}", EXIT_COMMAND_NOT_FOUND)


def _end(number: int, _frame: object) -> None:
    sys.exit(128 + number)


def _refuse(sentence: str, exit_code: int) -> int:
    sys.stderr.write(f"ros2bench: {sentence}.\n")
    return exit_code


if __name__ == "__main__":
    sys.exit(main())
