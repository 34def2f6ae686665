"""A port-forward that leaves nothing behind: no connection, and no traceback that asyncio prints by itself."""

import asyncio
from collections.abc import AsyncGenerator, Generator
from contextlib import asynccontextmanager, contextmanager
from typing import Any

from kr8s.asyncio.portforward import PortForward

FORWARDING = "PortForward"


@asynccontextmanager
async def forwarded(forward: PortForward) -> AsyncGenerator[int]:
    """Hold a port-forward open; gives the local port, and leaves no connection and no printed traceback behind."""
    with _broken_connections_unprinted():
        try:
            async with forward as port:
                yield port
        finally:
            await _end_forwarded_connections()


async def _end_forwarded_connections() -> None:
    """End the tasks of connections that are still open, which the port-forward leaves to the loop's end."""
    lingering = {task for task in asyncio.all_tasks() if FORWARDING in repr(task.get_coro())}
    for task in lingering:
        task.cancel()
    if lingering:
        await asyncio.wait(lingering)
        # The loop's own callback on each ended task runs one turn later.
        await asyncio.sleep(0)


@contextmanager
def _broken_connections_unprinted() -> Generator[None]:
    """Keep asyncio from printing a traceback for each forwarded connection that breaks.

    The recorder's client sees the broken connection and says so once, in its own words. Everything else that asyncio
    has to report is reported.
    """
    loop = asyncio.get_running_loop()
    previous = loop.get_exception_handler()

    def handle(loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        about = f"{context.get('message')} {context.get('handle')} {context.get('task')}"
        if "StreamReaderProtocol" in about or "client_connected_cb" in about or FORWARDING in about:
            return
        if previous:
            previous(loop, context)
        else:
            loop.default_exception_handler(context)

    loop.set_exception_handler(handle)
    try:
        yield
    finally:
        loop.set_exception_handler(previous)
