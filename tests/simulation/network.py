"""Connections between the simulated processes and the server: they delay, break and stall as the seed says."""

from __future__ import annotations

import asyncio
import contextvars
import random
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from .loop import PROCESS, Process


@dataclass(slots=True)
class Weather:
    """What the network does.

    Attributes:
        there: least seconds from a write to its arrival.
        jitter: seconds more, at random.
        late: probability that something is late.
        lateness: seconds by which it is then late at most.
        refused: probability that a connection is refused.
        cut: probability that a connection breaks at some time.
        stalls: probability that a connection delivers nothing more at some time.

    """

    there: float = 0.005
    jitter: float = 0.001
    late: float = 0.0
    lateness: float = 0.0
    refused: float = 0.0
    cut: float = 0.0
    stalls: float = 0.0


class Network:
    """All connections of a world.

    Args:
        chance: source of all that is random here.

    """

    def __init__(self, chance: random.Random) -> None:
        self._chance = chance
        self.weather = Weather()
        self.loop: Any = None
        self._factory: Callable[[], Any] | None = None
        self._server_context = contextvars.copy_context()
        self.open: set[End] = set()

    def listen(self, factory: Callable[[], Any], host: str, port: int) -> Any:
        """Begin to serve."""
        del port
        self._factory = factory
        self._server_context = contextvars.copy_context()
        return _Server(self, host)

    def stop_listening(self) -> None:
        """Refuse connections from now on."""
        self._factory = None

    async def reach(self, _: Any) -> None:
        """Wait as long as it takes to connect; raise if nothing listens."""
        await asyncio.sleep(2 * self.delay())
        if self._factory is None or self._chance.random() < self.weather.refused:
            raise ConnectionRefusedError(111, "refused")

    def connect(self, protocol: Any) -> tuple[Any, Any]:
        """Return a new connection with the server."""
        factory = self._factory
        if factory is None:
            raise ConnectionRefusedError(111, "refused")
        mine = End(self, protocol, contextvars.copy_context())
        theirs = End(self, self._server_context.copy().run(factory), self._server_context)
        mine.peer, theirs.peer = theirs, mine
        self.open |= {mine, theirs}
        if mine.process is not None:
            mine.process.when_dying.append(mine.drop)
        protocol.connection_made(mine)
        self.loop.call_soon(theirs.protocol.connection_made, theirs, context=self._server_context)
        weather, chance = self.weather, self._chance
        if chance.random() < weather.cut:
            self.loop.call_later(chance.expovariate(2.0), self._cut, mine, context=self._server_context)
        if chance.random() < weather.stalls:
            self.loop.call_later(chance.expovariate(2.0), mine.stall, context=self._server_context)
        return mine, protocol

    def _cut(self, end: End) -> None:
        for each in (end, end.peer):
            each.stalled = True
            each.lose(ConnectionResetError(104, "reset"))

    def delay(self) -> float:
        """Return how long the next packet takes."""
        weather, chance = self.weather, self._chance
        seconds = weather.there + chance.random() * weather.jitter
        return seconds + (chance.random() * weather.lateness if chance.random() < weather.late else 0.0)


class _Address:
    def __init__(self, host: str) -> None:
        self._host = host

    def getsockname(self) -> tuple[str, int]:
        return self._host, 8080


class _Server:
    """What ``create_server`` returns."""

    def __init__(self, network: Network, host: str) -> None:
        self._network = network
        self.sockets = [_Address(host)]

    def close(self) -> None:
        self._network.stop_listening()

    async def wait_closed(self) -> None:
        pass


class End(asyncio.Transport):
    """One end of a connection."""

    peer: End

    def __init__(self, network: Network, protocol: Any, context: contextvars.Context) -> None:
        super().__init__({"peername": ("127.0.0.1", 1), "sockname": ("127.0.0.1", 2)})
        self._network = network
        self.protocol = protocol
        self._context = context
        self.process: Process | None = context.get(PROCESS)
        self.stalled = False
        self._closing = False
        self._lost = False
        self._arrives = 0.0
        self._paused = False
        self._held: list[bytes] = []

    def _later(self, at: float, act: Callable[..., object], *args: Any) -> None:
        self._network.loop.call_at(at, act, *args, context=self._context)

    def write(self, data: Any) -> None:
        if self._closing or self.stalled or (self.process is not None and self.process.is_dead):
            return
        peer = self.peer
        # In order, as TCP delivers.
        self._arrives = max(self._arrives, self._network.loop.now + self._network.delay())
        peer._later(self._arrives, peer.receive, bytes(data))

    def writelines(self, list_of_data: Any) -> None:
        self.write(b"".join(list_of_data))

    def receive(self, data: bytes) -> None:
        """Take what the other end wrote."""
        if self._paused:
            self._held.append(data)
        elif not self._closing and not self.peer.stalled:
            self.protocol.data_received(data)

    def receive_end(self) -> None:
        """Take note that the other end closed."""
        if not self._closing and not self.protocol.eof_received():
            self.close()

    def close(self) -> None:
        if not self._closing:
            self._closing = True
            self.drop()
            self._network.loop.call_soon(self._tell_lost, None, context=self._context)

    def drop(self) -> None:
        """Let the other end know, as the system does for a process that died."""
        peer = self.peer
        self._closing = True
        self._network.open.discard(self)
        if not self.stalled:
            self._arrives = max(self._arrives, self._network.loop.now + self._network.delay())
            peer._later(self._arrives, peer.receive_end)

    def abort(self) -> None:
        self.close()

    def lose(self, error: Exception) -> None:
        """Break."""
        if not self._closing:
            self._closing = True
            self._network.open.discard(self)
            self._network.loop.call_soon(self._tell_lost, error, context=self._context)

    def stall(self) -> None:
        """Deliver nothing more, in either direction."""
        self.stalled = self.peer.stalled = True

    def _tell_lost(self, error: Exception | None) -> None:
        if not self._lost:
            self._lost = True
            self.protocol.connection_lost(error)

    def is_closing(self) -> bool:
        return self._closing

    def pause_reading(self) -> None:
        self._paused = True

    def resume_reading(self) -> None:
        self._paused = False
        held, self._held = self._held, []
        for data in held:
            self.receive(data)

    def is_reading(self) -> bool:
        return not self._paused

    def get_write_buffer_size(self) -> int:
        return 0

    def set_write_buffer_limits(self, high: int | None = None, low: int | None = None) -> None:
        del high, low

    def get_protocol(self) -> Any:
        return self.protocol

    def set_protocol(self, protocol: Any) -> None:
        self.protocol = protocol

    def can_write_eof(self) -> bool:
        return False
