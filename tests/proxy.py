"""A TCP connection's way to a server: it can stall, lose the answers only, be cut, also at a certain word, or lead nowhere."""

import asyncio
from types import TracebackType
from typing import Self
from urllib.parse import urlsplit


class Proxy:
    """Stands in front of the server of a URL; `url` is the same URL through it."""

    def __init__(self, url: str) -> None:
        self._target = urlsplit(url)
        self._requests = asyncio.Event()
        self._answers = asyncio.Event()
        self._server: asyncio.Server | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self._writers: set[asyncio.StreamWriter] = set()
        self._open = True
        self._word: bytes | None = None
        self._nth = 1
        self._arrives = True
        self.flow()

    @property
    def url(self) -> str:
        assert self._server is not None
        port = self._server.sockets[0].getsockname()[1]
        credentials = self._target.netloc.rpartition("@")[0]
        return self._target._replace(netloc=f"{credentials}@127.0.0.1:{port}").geturl()

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._accept, "127.0.0.1", 0)
        return self

    async def __aexit__(self, *_: type[BaseException] | BaseException | TracebackType | None) -> None:
        assert self._server is not None
        self.cut()
        self._server.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def flow(self) -> None:
        """All is well."""
        self._open = True
        self._requests.set()
        self._answers.set()

    def stall(self) -> None:
        """Nothing goes through any more, in either direction; connections stay."""
        self._requests.clear()
        self._answers.clear()

    def lose_answers(self) -> None:
        """What is asked arrives; what is answered does not."""
        self._answers.clear()

    def refuse(self) -> None:
        """Connections are cut, and new ones are closed at once."""
        self._open = False
        self.cut()

    def cut(self) -> None:
        """The connections that there are end now."""
        for writer in list(self._writers):
            writer.transport.abort()

    def cut_at(self, word: bytes, nth: int = 1, *, arrives: bool) -> None:
        """Cut the connection on which the client says this for the nth time from now. `arrives`: the server still hears it."""
        self._word, self._nth, self._arrives = word, nth, arrives

    @property
    def has_cut(self) -> bool:
        """Whether what `cut_at` waited for has come."""
        return self._word is None

    def _is_the_end(self, part: bytes) -> bool:
        if self._word is None or self._word not in part:
            return False
        self._nth -= 1
        if self._nth > 0:
            return False
        self._word = None
        return True

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if not self._open:
            writer.transport.abort()
            return
        assert self._target.hostname is not None
        server_reader, server_writer = await asyncio.open_connection(self._target.hostname, self._target.port)
        for pump in (
            self._pump(reader, server_writer, self._requests, back=writer),
            self._pump(server_reader, writer, self._answers),
        ):
            task = asyncio.create_task(pump)
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def _pump(
        self,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        flowing: asyncio.Event,
        back: asyncio.StreamWriter | None = None,
    ) -> None:
        self._writers.add(writer)
        try:
            while part := await reader.read(65536):
                await flowing.wait()
                if back is not None and self._is_the_end(part):
                    back.transport.abort()
                    if self._arrives:
                        writer.write(part)
                    break
                writer.write(part)
                await writer.drain()
        except OSError:
            pass
        finally:
            self._writers.discard(writer)
            writer.close()
