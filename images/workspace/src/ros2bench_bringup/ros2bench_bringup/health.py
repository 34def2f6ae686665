"""Joint health of the processes in one container: well only when every one of them is."""

import urllib.error
import urllib.request
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor

from ros2bench_bringup.plan import Process

OK = 'ok'
NOT_ASKED = 'not asked: it has no health port'
# Less than the three seconds that the kubelet waits for the container's own answer.
PROBE_LIMIT_S = 2.0
LOCAL = urllib.request.build_opener(urllib.request.ProxyHandler({}))


def ask(port: int, path: str) -> str:
    """State of one process: `ok`, or what is wrong. One without a port is only known to run."""
    if port == 0:
        return NOT_ASKED
    try:
        with LOCAL.open(f'http://127.0.0.1:{port}{path}', timeout=PROBE_LIMIT_S):
            return OK
    except urllib.error.HTTPError as error:
        return f'{error.code}: {error.read(200).decode(errors="replace")}'
    except OSError as error:
        return f'no answer: {getattr(error, "reason", error)}'


def joint_state(
    processes: Sequence[Process], path: str, ask_one: Callable[[int, str], str] = ask
) -> tuple[int, Mapping[str, str]]:
    """Status code and the state of every process by name, asked side by side."""
    with ThreadPoolExecutor(max_workers=len(processes)) as pool:
        states = list(pool.map(lambda process: ask_one(process.port, path), processes))
    named = {process.name: state for process, state in zip(processes, states, strict=True)}
    return (200 if all(state in {OK, NOT_ASKED} for state in states) else 503), named
