"""A Redis that runs the real scripts in virtual time, and a client of it whose connection may be lost."""

from __future__ import annotations

import asyncio
import contextvars
import json
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any, Self

from lupa import lua51
from redis.exceptions import ConnectionError as RedisConnectionError

if TYPE_CHECKING:
    from .world import World

_PRELUDE = """
local call, encode, decode = ...
redis = {call = call}
cjson = {encode = encode, decode = decode}
return function(source) return loadstring('local KEYS, ARGV = ... ' .. source) end
"""


class RedisServer:
    """The server: hashes, sorted sets and scripts.

    Args:
        world: the world, with its clock and its chance.

    """

    def __init__(self, world: World) -> None:
        self.world = world
        self.data: dict[str, dict[str, Any]] = {}
        # What it does is not undone by the death of a client.
        self.context = contextvars.copy_context()
        self._lua: Any = lua51.LuaRuntime(unpack_returned_tuples=False)
        make_compile: Any = self._lua.eval(f"function(...) {_PRELUDE} end")
        self._compile: Any = make_compile(self._call_of_script, self._encode, self._decode)
        self._scripts: dict[str, Any] = {}

    def run_script(self, source: str, keys: Sequence[str], arguments: Sequence[Any]) -> Any:
        """Run a script, and return its reply as redis-py does."""
        script = self._scripts.get(source) or self._scripts.setdefault(source, self._compile(source))
        texts = [str(argument) for argument in arguments]
        reply = script(self._lua.table_from(list(keys)), self._lua.table_from(texts))
        return list(reply.values()) if lua51.lua_type(reply) == "table" else int(reply)

    def _call_of_script(self, command: str, *arguments: Any) -> Any:
        texts = [f"{each:.17g}" if isinstance(each, float) else str(each) for each in arguments]
        reply = self.call(command, *texts)
        if isinstance(reply, list):
            return self._lua.table_from(reply)
        # As Redis tells a script that there is nothing.
        return False if reply is None else reply

    def _encode(self, table: Any) -> str:
        # With as many digits as Redis writes.
        fields = {name: float(f"{value:.14g}") if isinstance(value, float) else value for name, value in table.items()}
        return json.dumps(fields)

    def _decode(self, text: str) -> Any:
        return self._lua.table_from(json.loads(text))

    def call(self, command: str, *arguments: Any) -> Any:
        """Carry out a command."""
        return getattr(self, f"_{command.lower()}")(*arguments)

    def _time(self) -> list[str]:
        micros = int(self.world.loop.now * 1e6)
        return [str(micros // 1_000_000), str(micros % 1_000_000)]

    def _exists(self, *keys: str) -> int:
        return sum(key in self.data for key in keys)

    def _del(self, *keys: str) -> int:
        return sum(self.data.pop(key, None) is not None for key in keys)

    def _rename(self, key: str, to: str) -> None:
        self.data[to] = self.data.pop(key)

    def _expire(self, key: str, _seconds: str) -> int:
        # No import of a run takes so long.
        return self._exists(key)

    _persist = _exists

    def _hset(self, key: str, *pairs: str) -> int:
        fields = self.data.setdefault(key, {})
        before = len(fields)
        fields.update(zip(pairs[::2], pairs[1::2], strict=True))
        return len(fields) - before

    def _hsetnx(self, key: str, name: str, value: str) -> int:
        return 0 if name in self.data.get(key, {}) else self._hset(key, name, value)

    def _hget(self, key: str, name: str) -> str | None:
        return self.data.get(key, {}).get(name)

    def _hmget(self, key: str, *names: str) -> list[str | None]:
        return [self._hget(key, name) for name in names]

    def _hexists(self, key: str, name: str) -> int:
        return int(name in self.data.get(key, {}))

    def _hdel(self, key: str, *names: str) -> int:
        return sum(self.data.get(key, {}).pop(name, None) is not None for name in names)

    def _hlen(self, key: str) -> int:
        return len(self.data.get(key, {}))

    def _hkeys(self, key: str) -> list[str]:
        return list(self.data.get(key, {}))

    _zcard = _hlen

    def _zadd(self, key: str, *pairs: str) -> int:
        scores = [float(score) for score in pairs[::2]]
        members = dict(zip(pairs[1::2], scores, strict=True))
        self.data.setdefault(key, {}).update(members)
        return len(members)

    def _zrem(self, key: str, *members: str) -> int:
        return self._hdel(key, *members)

    def _zscore(self, key: str, member: str) -> str | None:
        return self._hget(key, member)

    def _in_order(self, key: str) -> list[str]:
        scores = self.data.get(key, {})
        return sorted(scores, key=lambda member: (scores[member], member))

    def _zrange(self, key: str, first: str, last: str) -> list[str]:
        found = self._in_order(key)
        return found[int(first) : None if int(last) == -1 else int(last) + 1]

    def _zrangebyscore(self, key: str, _lowest: str, highest: str, *_limit: str) -> list[str]:
        scores = self.data.get(key, {})
        return [member for member in self._in_order(key) if scores[member] <= float(highest)]


class RedisClient:
    """What the journal uses of redis-py: the commands above, pipelines and scripts.

    Args:
        server: where they go.
        retries: how often a command is sent again whose connection was lost, as newer versions of redis-py do.

    """

    def __init__(self, server: RedisServer, retries: int) -> None:
        self._server = server
        self._retries = retries
        self.connection_pool = self

    async def disconnect(self) -> None:
        """Close the connections, of which there are none."""

    def register_script(self, source: str) -> Callable[..., Any]:
        """Return what runs a script."""

        def run(keys: Sequence[str], args: Sequence[Any] = ()) -> Any:
            return self._ask(partial(self._server.run_script, source, keys, args))

        return run

    def pipeline(self, *, transaction: bool) -> _Pipeline:
        """Return a pipeline, which always is a transaction here."""
        del transaction
        return _Pipeline(self._server, self._ask)

    def __getattr__(self, name: str) -> Callable[..., Any]:
        def command(*arguments: Any, **options: Any) -> Any:
            return self._ask(partial(_carry_out, self._server, name, arguments, options))

        return command

    async def _ask(self, act: Callable[[], Any]) -> Any:
        for left in range(self._retries, -1, -1):
            try:
                return await self._ask_once(act)
            except RedisConnectionError:
                if not left:
                    raise
                await asyncio.sleep(0.2)
        raise AssertionError

    async def _ask_once(self, act: Callable[[], Any]) -> Any:
        world, loop = self._server.world, self._server.world.loop
        chance = world.chance.random()
        is_lost = chance < world.network.weather.cut / 4
        replied: asyncio.Future[Any] = loop.create_future()

        def carry_out() -> None:
            # Half of the lost ones had arrived.
            reply = None if is_lost and chance < world.network.weather.cut / 8 else act()
            loop.call_later(world.network.delay(), tell, reply, context=self._server.context)

        def tell(reply: Any) -> None:
            if replied.cancelled():
                return
            if is_lost:
                replied.set_exception(RedisConnectionError("the connection was lost"))
            else:
                replied.set_result(reply)

        loop.call_later(world.network.delay(), carry_out, context=self._server.context)
        return await replied


class _Pipeline:
    def __init__(self, server: RedisServer, ask: Callable[[Callable[[], Any]], Any]) -> None:
        self._server = server
        self._ask = ask
        self._acts: list[Callable[[], Any]] = []

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        pass

    def __getattr__(self, name: str) -> Callable[..., None]:
        def command(*arguments: Any, **options: Any) -> None:
            self._acts.append(partial(_carry_out, self._server, name, arguments, options))

        return command

    async def execute(self) -> list[Any]:
        replies: list[Any] = await self._ask(lambda: [act() for act in self._acts])
        return replies


def _carry_out(server: RedisServer, name: str, arguments: Sequence[Any], options: Mapping[str, Any]) -> Any:
    """Carry out a command of redis-py under its name there."""
    key, *more = arguments or [""]
    match name:
        case "time":
            return [int(part) for part in server.call("time")]
        case "delete":
            return server.call("del", *arguments)
        case "hset" if "mapping" in options:
            return server.call("hset", key, *(str(each) for pair in options["mapping"].items() for each in pair))
        case "zadd":
            pairs = [(score, member) for member, score in more[0].items()]
            return server.call("zadd", key, *(str(each) for pair in pairs for each in pair))
        case "hmget":
            return server.call("hmget", key, *map(str, more[0]))
        case _:
            return server.call(name, key, *map(str, more))
