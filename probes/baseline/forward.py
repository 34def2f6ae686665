"""A TCP port in another network namespace, reached through a unix socket.

    python -m probes.baseline.forward SOCKET PORT

Sockets with a path do not belong to a network namespace, so a program inside can pass on to somebody outside.
"""

import asyncio
import contextlib
import sys
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path

LOOPBACK = "127.0.0.1"
CHUNK_BYTES = 65_536
USAGE_ERROR = 2
CLOSING_TURNS = 3
Connection = tuple[asyncio.StreamReader, asyncio.StreamWriter]
Connect = Callable[[], Awaitable[Connection]]


async def _copy(source: asyncio.StreamReader, target: asyncio.StreamWriter) -> None:
    while data := await source.read(CHUNK_BYTES):
        target.write(data)
        await target.drain()
    if target.can_write_eof():
        target.write_eof()


async def relay(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, connect: Connect) -> None:
    """Pass a connection on, both ways, until both sides have ended; one that nobody takes is closed."""
    try:
        other_reader, other_writer = await connect()
    except OSError:
        writer.close()
        return
    try:
        with contextlib.suppress(OSError):
            await asyncio.gather(_copy(reader, other_writer), _copy(other_reader, writer))
    finally:
        for end in (writer, other_writer):
            end.close()


@asynccontextmanager
async def forwarded(socket: Path) -> AsyncGenerator[str]:
    """Open a local port that leads to a unix socket; gives its HTTP address."""
    open_tasks: set[asyncio.Task[None]] = set()

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        # A task of its own: one that asyncio's server has made prints a traceback when it is cancelled.
        task = asyncio.create_task(relay(reader, writer, lambda: asyncio.open_unix_connection(socket)))
        open_tasks.add(task)
        await asyncio.wait({task})
        open_tasks.discard(task)

    server = await asyncio.start_server(answer, LOOPBACK, 0)
    try:
        yield f"http://{LOOPBACK}:{server.sockets[0].getsockname()[1]}"
    finally:
        server.close()
        await server.wait_closed()
        for task in open_tasks:
            task.cancel()
        if open_tasks:
            await asyncio.wait(set(open_tasks))
        # Closed connections and the server's own tasks end a turn or two later.
        for _ in range(CLOSING_TURNS):
            await asyncio.sleep(0)


async def serve(socket: Path, port: int) -> None:
    """Lead a unix socket to a port of this network namespace, for ever."""

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await relay(reader, writer, lambda: asyncio.open_connection(LOOPBACK, port))

    async with await asyncio.start_unix_server(answer, socket) as server:
        await server.serve_forever()


def main() -> int:
    """Serve until ended."""
    if len(sys.argv) != 3 or not sys.argv[2].isdecimal():
        sys.stderr.write("usage: python -m probes.baseline.forward SOCKET PORT\n")
        return USAGE_ERROR
    with contextlib.suppress(KeyboardInterrupt):
        asyncio.run(serve(Path(sys.argv[1]), int(sys.argv[2])))
    return 0


if __name__ == "__main__":
    sys.exit(main())
