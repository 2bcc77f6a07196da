"""A Redis that runs the real script in virtual time."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from importlib.resources import files
from typing import Any

from lupa import lua51

from marketingblocks_async.redis.connection import Exchange

_PRELUDE = """
local store, microseconds, run, since, server = {}, 0, 0, 0, {}
redis = {call = function(command, key, value)
  if command == 'GET' then return store[key] or false end
  if command == 'SET' then store[key] = value return end
  if command == 'TIME' then return {math.floor(microseconds / 1000000), microseconds % 1000000} end
  if key == 'server' then
    return 'run_id:' .. run .. ' uptime_in_seconds:' .. math.ceil((microseconds - since) / 1000000)
  end
  return key == 'replication' and 'second_repl_offset:-1' or ''
end}
cmsgpack = {pack = function(value) return value end, unpack = function(value) return value end}
return function(source)
  local script = loadstring('local KEYS, ARGV = ... ' .. source)
  function server.run(now, keys, arguments)
    microseconds = now
    return script(keys, arguments)
  end
  function server.restart(now)
    store, run, since = {}, run + 1, now
  end
  return server
end
"""


class RedisServer:
    """One Redis without replicas.

    Args:
        clock: the simulation's seconds.
        seconds_per_exchange: how long it is busy with one.

    """

    def __init__(self, clock: Callable[[], float], seconds_per_exchange: float) -> None:
        self._clock = clock
        self._seconds_per_exchange = seconds_per_exchange
        self._lua: Any = lua51.LuaRuntime(unpack_returned_tuples=False)
        script = files("marketingblocks_async.redis").joinpath("exchange.lua").read_text("utf-8")
        make_server: Any = self._lua.execute(_PRELUDE)
        self._server = make_server(script)
        # It has been running for a while, so nothing is in quarantine.
        self._server.restart(-3600e6)
        self._busy_until = 0.0
        self._ahead = 0.0
        self.busy = 0.0
        self.exchanges = 0
        self.is_up = True

    def restart(self) -> None:
        """Come back without any data, as after a fail-over to an empty replica."""
        self._server.restart((self._clock() + self._ahead) * 1e6)
        self.is_up = True

    def set_clock_forward(self, seconds: float) -> None:
        """Let its clock jump, as when it is corrected."""
        self._ahead += seconds

    def run(self, exchanges: Sequence[Exchange]) -> tuple[list[list[int]], float]:
        """Run a pipeline that arrives now; return the replies and the instant at which they leave."""
        replies: list[list[int]] = []
        instant = max(self._clock(), self._busy_until)
        for exchange in exchanges:
            keys = self._lua.table_from(list(exchange.keys))
            arguments = self._lua.table_from([str(argument) for argument in exchange.arguments])
            # Redis tells whole numbers.
            replies.append(
                [int(value) for value in self._server.run((instant + self._ahead) * 1e6, keys, arguments).values()]
            )
            instant += self._seconds_per_exchange
        self.busy += self._seconds_per_exchange * len(exchanges)
        self.exchanges += len(exchanges)
        self._busy_until = instant
        return replies, instant
