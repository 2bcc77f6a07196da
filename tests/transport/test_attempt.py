"""What an attempt keeps, and for how long."""

from __future__ import annotations

import asyncio

from marketingblocks_async.transport.attempt import Attempt


def test_the_end_of_an_attempt_does_not_destroy_its_call_while_that_is_running() -> None:
    """The call then ended with "coroutine already executing", and its observers were told so."""
    loop = asyncio.new_event_loop()
    attempt, response = Attempt(None, None), loop.create_future()
    mistakes: list[Exception] = []

    async def send() -> None:
        attempt.begin()
        try:
            await response
        finally:
            attempt.end()

    sending = send()

    async def call() -> None:
        try:
            await sending
        except ValueError as mistake:
            mistakes.append(mistake)

    task = loop.create_task(call())
    loop.run_until_complete(asyncio.sleep(0))
    response.set_result(None)
    loop.close()
    # From here on only the attempt refers to the task. The garbage collector closes what it finds in any order.
    del task
    sending.close()
    assert mistakes == []
