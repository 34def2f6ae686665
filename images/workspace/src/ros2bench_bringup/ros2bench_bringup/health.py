"""Joint health of the processes in one container: healthy only when every one of them is."""

import json
import threading
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from ros2bench_bringup.plan import Process

PATHS = ('/healthz', '/readyz')
PROBE_LIMIT_S = 0.8
LOCAL = urllib.request.build_opener(urllib.request.ProxyHandler({}))


def ask(port: int, path: str) -> str:
    """State of one process: `ok`, or what is wrong. A process without a port is trusted."""
    if port == 0:
        return 'ok'
    try:
        with LOCAL.open(f'http://127.0.0.1:{port}{path}', timeout=PROBE_LIMIT_S):
            return 'ok'
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
    return (200 if all(state == 'ok' for state in states) else 503), named


def listen(processes: Sequence[Process], port: int) -> ThreadingHTTPServer | None:
    """Take the port of the joint health; port 0 takes none. `serve` then answers.

    Raises:
        OSError: the port is taken.
    """
    if port == 0:
        return None

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            if self.path in PATHS:
                status, states = joint_state(processes, self.path)
            else:
                status, states = 404, {'error': f'choices: {", ".join(PATHS)}'}
            body = json.dumps(states).encode()
            self.send_response(status)
            self.send_header('Content-Type', 'application/json')
            self.send_header('Content-Length', str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Keep quiet: the kubelet asks every few seconds."""

    server = ThreadingHTTPServer(('0.0.0.0', port), Handler)
    server.daemon_threads = True
    return server


def serve(server: ThreadingHTTPServer) -> None:
    """Answer in threads of their own for the rest of the process."""
    threading.Thread(target=server.serve_forever, name='health', daemon=True).start()
