"""A port behind a unix socket: bytes go both ways, and nobody behind it is a closed connection."""

import asyncio
import contextlib
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from probes.baseline.forward import forwarded, serve


@asynccontextmanager
async def echo() -> AsyncGenerator[int]:
    """A server that answers what it is sent, turned round."""

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write((await reader.read(-1))[::-1])
        writer.close()

    async with await asyncio.start_server(answer, "127.0.0.1", 0) as server:
        yield server.sockets[0].getsockname()[1]


async def appeared(path: Path) -> None:
    """Wait for a file."""
    while not path.exists():  # noqa: ASYNC110, ASYNC240 - nobody tells when
        await asyncio.sleep(0.005)


def through(folder: Path, port: int | None, use: Callable[[int], Awaitable[bytes]]) -> bytes:
    async def run() -> bytes:
        async with echo() as own:
            serving = asyncio.create_task(serve(folder / "port", own if port is None else port))
            await appeared(folder / "port")
            async with forwarded(folder / "port") as address:
                found = await use(urlsplit(address).port or 0)
            serving.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await serving
            return found

    return asyncio.run(asyncio.wait_for(run(), 10))


async def ask(port: int) -> bytes:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(b"abc" + b"x" * 100_000 + b"y")
    writer.write_eof()
    answer = await reader.read(-1)
    writer.close()
    await writer.wait_closed()
    return answer


def test_bytes_go_both_ways(tmp_path: Path) -> None:
    async def use(port: int) -> bytes:
        return b"".join(await asyncio.gather(ask(port), ask(port)))

    assert through(tmp_path, None, use) == (b"y" + b"x" * 100_000 + b"cba") * 2


def test_nobody_there_is_the_end_of_the_connection(tmp_path: Path) -> None:
    async def use(port: int) -> bytes:
        with contextlib.suppress(ConnectionError):
            return await ask(port)
        return b""

    assert through(tmp_path, 1, use) == b""


def test_connections_that_stay_open_end_without_a_word(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    async def run() -> bytes:
        async with echo() as own:
            serving = asyncio.create_task(serve(tmp_path / "port", own))
            await appeared(tmp_path / "port")
            async with forwarded(tmp_path / "port") as address:
                reader, writer = await asyncio.open_connection("127.0.0.1", urlsplit(address).port or 0)
                writer.write(b"abc")
                await writer.drain()
                await asyncio.sleep(0.05)
            rest = await reader.read(-1)
            writer.close()
            serving.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await serving
            return rest

    assert asyncio.run(asyncio.wait_for(run(), 10)) == b""
    assert capfd.readouterr().err == ""
