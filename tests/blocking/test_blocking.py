"""Calls, many posts and bulk runs from code that does not await."""

from __future__ import annotations

import asyncio
import contextvars
import os
import queue
import signal
import sqlite3
import subprocess
import sys
import textwrap
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from types import FrameType
from typing import Any

import pytest

from marketingblocks_async import (
    ConfigurationError,
    CreatePost,
    HttpAnswer,
    HttpRequest,
    NotFoundError,
    RateLimit,
    Send,
)
from marketingblocks_async.blocking import BulkRun, Journal, MarketingBlocks, create_journal
from marketingblocks_async.blocking.loop import BackgroundLoop, Executor, Inbox, background_loop, in_thread_of
from marketingblocks_async.bulk import BulkProgress, JournalInUseError
from marketingblocks_async.sandbox import Sandbox
from tests.support.command import LocalSandbox
from tests.support.polling import until
from tests.support.sandbox import create_request

ROOT = Path(__file__).parents[2]


@pytest.fixture
def sandbox() -> Iterator[Sandbox]:
    with LocalSandbox(policy="none") as sandbox:
        yield sandbox


@pytest.fixture
def client(sandbox: Sandbox) -> Iterator[MarketingBlocks]:
    with MarketingBlocks(sandbox.token, base_url=sandbox.base_url, docs_url=sandbox.docs_url) as client:
        yield client


def posts(count: int) -> Iterator[CreatePost]:
    return (CreatePost(**create_request(f"Post {number}")) for number in range(count))


def test_every_operation(client: MarketingBlocks) -> None:
    created = client.posts.create(**create_request())
    assert client.posts.create(CreatePost(**create_request("Other")), timeout=5).post_id == 2
    assert created.post_id is not None
    assert client.posts.get(created.post_id).post_id == 1
    assert len(client.posts.list(channels=["facebook"])) == 2
    assert list(client.posts.upcoming(limit=3)) == []
    assert client.generations.create(post_type="text_only", input="flowers").id
    assert client.channels.connect(user_id="u").connect_url
    bot = client.comment_automations.create(name="a", channels=[1])
    client.comment_automations.update(comment_bot_id=int(bot.comment_bot_id or 0), name="b")
    assert client.docs.ask("How long do tokens live?")
    assert client.request("GET", "social-sparks/upcoming-posts", params={"limit": 1})
    assert client.raw(lambda asynchronous: asynchronous.posts.get(1)).status == 200
    with pytest.raises(NotFoundError):
        client.posts.get(99)


def test_copies_share_the_connections(client: MarketingBlocks, sandbox: Sandbox) -> None:
    assert client.with_options(timeout=3.0).posts.create(**create_request()).post_id == 1
    assert client.with_token(sandbox.token).posts.get(1).post_id == 1
    assert sandbox.base_url in repr(client)


def test_a_health_page_can_ask_the_client(client: MarketingBlocks, sandbox: Sandbox) -> None:
    client.posts.upcoming()
    assert (client.is_open, client.base_url) == (True, sandbox.base_url)
    assert client.rate_limiter.snapshot().granted >= 1
    client.close()
    assert not client.is_open


class Ours(MarketingBlocks):
    """A client with something of its own."""

    brand = "none"


def test_a_copy_keeps_the_attributes_of_a_subclass() -> None:
    client = Ours("token")
    client.brand = "tulips"
    for derived in (client.with_options(timeout=1.0), client.with_token("other")):
        assert isinstance(derived, Ours)
        assert derived.brand == "tulips"
        assert derived.posts is not client.posts


def test_a_client_that_is_not_open_says_so(sandbox: Sandbox) -> None:
    client = MarketingBlocks(sandbox.token, base_url=sandbox.base_url)
    with pytest.raises(ConfigurationError, match="not open"):
        client.posts.get(1)


def test_a_running_loop_of_the_caller_does_not_matter(client: MarketingBlocks) -> None:
    async def in_a_notebook() -> object:
        return client.posts.create(**create_request()).post_id

    assert asyncio.run(in_a_notebook()) == 1


def test_threads_share_one_limiter(sandbox: Sandbox) -> None:
    def use(number: int) -> list[object]:
        options: dict[str, Any] = {"base_url": sandbox.base_url, "rate_limit": RateLimit(limit=50)}
        with MarketingBlocks(sandbox.token, **options) as client:
            return [client.posts.create(**create_request(f"{number}-{post}")).post_id for post in range(10)]

    with ThreadPoolExecutor(8) as pool:
        ids = [post_id for found in pool.map(use, range(8)) for post_id in found]
    assert len(set(ids)) == 80
    assert sandbox.ledger.worst_window() <= 50


def test_a_call_sees_the_context_of_its_thread(sandbox: Sandbox) -> None:
    trace: contextvars.ContextVar[str] = contextvars.ContextVar("trace", default="none")
    seen: list[str] = []

    async def note(request: HttpRequest, send: Send) -> HttpAnswer:
        seen.append(trace.get())
        return await send(request)

    with MarketingBlocks(sandbox.token, base_url=sandbox.base_url, middlewares=[note]) as client:
        trace.set("mine")
        client.posts.create(**create_request())
    assert seen == ["mine"]


def test_a_call_in_a_callback_is_refused_rather_than_waiting_for_itself(sandbox: Sandbox) -> None:
    refusals: list[Exception] = []

    def call_back(_: object) -> None:
        try:
            caller.posts.get(1)
        except ConfigurationError as error:
            refusals.append(error)

    caller = MarketingBlocks(sandbox.token, base_url=sandbox.base_url, on_outcome=call_back)
    with caller:
        caller.posts.create(**create_request())
    assert "wait for itself" in str(refusals[0])


# Many posts


def test_many_posts_are_read_in_the_thread_that_iterates(client: MarketingBlocks, sandbox: Sandbox) -> None:
    threads: set[int] = set()

    def read() -> Iterator[CreatePost]:
        # As a database does whose connections belong to their threads, and an ORM that no event loop may use.
        connection = sqlite3.connect(":memory:")
        for post in posts(50):
            connection.execute("SELECT 1")
            with pytest.raises(RuntimeError):
                asyncio.get_running_loop()
            threads.add(threading.get_ident())
            yield post
        connection.close()

    outcomes = list(client.posts.create_many(read()))
    assert sorted(outcome.index for outcome in outcomes) == list(range(50))
    assert all(outcome.ok for outcome in outcomes)
    assert threads == {threading.get_ident()}
    assert len(sandbox.posts) == 50


def test_an_input_that_fails_fails_the_iteration_after_its_posts(client: MarketingBlocks) -> None:
    def read() -> Iterator[CreatePost]:
        yield from posts(3)
        message = "the file ends here"
        raise OSError(message)

    many = client.posts.create_many(read())
    found = [next(many) for _ in range(3)]
    assert all(outcome.ok for outcome in found)
    with pytest.raises(OSError, match="ends here"):
        next(many)


@pytest.mark.parametrize("wrong", [None, 7, create_request(), CreatePost(**create_request())])
def test_one_post_or_none_is_not_many(client: MarketingBlocks, wrong: Any) -> None:
    with pytest.raises(TypeError):
        client.posts.create_many(wrong)
    with pytest.raises(ValueError, match="concurrency"):
        client.posts.create_many(posts(1), concurrency=0)


def test_an_early_end_says_what_was_not_fetched(client: MarketingBlocks, sandbox: Sandbox) -> None:
    with client.posts.create_many(posts(1000), concurrency=5) as many:
        assert next(many).ok
    assert many.undelivered
    assert len(sandbox.posts) <= 7
    assert list(many) == []


def test_a_hook_runs_before_each_post(client: MarketingBlocks) -> None:
    before: list[int] = []

    async def note(index: int, _: object) -> None:
        before.append(index)

    assert all(outcome.ok for outcome in client.posts.create_many(posts(5), before_send=note))
    assert sorted(before) == list(range(5))


# Bulk runs


def test_a_bulk_run(client: MarketingBlocks, sandbox: Sandbox, tmp_path: Path) -> None:
    journal = tmp_path / "posts.journal"
    told: list[BulkProgress] = []
    plan = create_journal(posts(30), journal)
    assert plan.valid == 30
    with Journal(journal) as opened:
        with pytest.raises(JournalInUseError):
            Journal(journal)
        result = BulkRun(client, opened, on_progress=told.append, progress_every=0.05).run()
        assert opened.counts().done == 30
    assert result.counts.done == 30
    assert told
    with Journal(journal) as opened:
        assert BulkRun(client, opened).run().sent == 0
    assert len(sandbox.posts) == 30


@pytest.mark.parametrize("how", ["stop", "abort"])
def test_another_thread_ends_a_bulk_run(sandbox: Sandbox, tmp_path: Path, how: str) -> None:
    create_journal(posts(200), tmp_path / "posts.journal")
    limit = RateLimit(limit=50)
    with (
        MarketingBlocks(sandbox.token, base_url=sandbox.base_url, rate_limit=limit) as client,
        Journal(tmp_path / "posts.journal") as journal,
    ):
        run = BulkRun(client, journal)
        timer = threading.Timer(0.5, getattr(run, how))
        timer.start()
        result = run.run()
        timer.join()
    assert result.counts.pending
    assert result.ending == {"stop": "interrupted", "abort": "aborted"}[how]


# Ctrl-C and fork


def run_script(sandbox: Sandbox, tmp_path: Path, code: str) -> subprocess.Popen[str]:
    script = tmp_path / "script.py"
    script.write_text(textwrap.dedent(code), encoding="utf-8")
    environment = os.environ | {
        "MARKETINGBLOCKS_API_TOKEN": sandbox.token,
        "MARKETINGBLOCKS_BASE_URL": sandbox.base_url,
        "PYTHONPATH": str(ROOT),
    }
    command = [sys.executable, "-W", "error", str(script)]
    return subprocess.Popen(  # noqa: S603 - our own words
        command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env=environment, cwd=tmp_path
    )


@pytest.mark.skipif(sys.platform == "win32", reason="sends POSIX signals")
def test_ctrl_c_ends_a_call_and_says_what_is_known_of_it(sandbox: Sandbox, tmp_path: Path) -> None:
    sandbox.faults.add("slow_answer:endpoint=create-post,delay=30")
    process = run_script(
        sandbox,
        tmp_path,
        """
        from marketingblocks_async.blocking import MarketingBlocks
        with MarketingBlocks() as client:
            try:
                client.posts.create(channel_type="facebook", channel_id=1, post_type="post", caption_text="Hello",
                                    media_urls=[], publish_mode="now")
            except KeyboardInterrupt as interrupt:
                print("interrupted", interrupt.__notes__)
        """,
    )
    _wait_for(lambda: len(sandbox.posts) == 1)
    process.send_signal(signal.SIGINT)
    out, _ = process.communicate(timeout=20)
    assert process.returncode == 0, out
    assert "interrupted" in out
    assert "may or may not have been carried out" in out


@pytest.mark.skipif(sys.platform == "win32", reason="sends POSIX signals")
@pytest.mark.parametrize(
    ("fault", "known"),
    [("", "CreatedPost(post_id=1"), ("commit_then_drop:endpoint=create-post,times=1", "may or may not")],
)
def test_ctrl_c_at_the_end_of_a_call_does_not_hide_its_outcome(
    sandbox: Sandbox, tmp_path: Path, fault: str, known: str
) -> None:
    if fault:
        sandbox.faults.add(fault)
    process = run_script(
        sandbox,
        tmp_path,
        """
        import signal, threading
        from marketingblocks_async.blocking import MarketingBlocks

        signal.signal(signal.SIGINT, signal.default_int_handler)
        main = threading.get_ident()
        post = dict(channel_type="facebook", channel_id=1, post_type="post", caption_text="Hello", media_urls=[],
                    publish_mode="now")

        def press(_event):
            if not pressed:
                pressed.append(True)
                signal.pthread_kill(main, signal.SIGINT)

        with MarketingBlocks(on_outcome=press) as client:
            pressed = []
            try:
                client.posts.create(**post)
            except KeyboardInterrupt as interrupt:
                print(interrupt.__notes__)
            pressed = []
            many = client.posts.create_many([post, post, post], concurrency=1)
            try:
                next(many)
            except KeyboardInterrupt:
                print("fetched or not:", sorted(outcome.index for outcome in many.undelivered))
        """,
    )
    out, _ = process.communicate(timeout=30)
    assert process.returncode == 0, out
    assert known in out
    assert "fetched or not: [0" in out


LATE = """
    import atexit, os, sys, threading

    def late():
        # By name, since a look-up needs a thread.
        address = os.environ["MARKETINGBLOCKS_BASE_URL"].replace("127.0.0.1", "localhost")
        try:
            with MarketingBlocks(base_url=address) as client:
                print(client.posts.create(channel_type="facebook", channel_id=1, post_type="post",
                                          caption_text="Hello", media_urls=[], publish_mode="now"))
        except Exception as error:
            print(repr(error))

    def when_the_main_thread_has_ended():
        threading.main_thread().join()
        late()

    if HOW == "early":
        atexit.register(late)
    from marketingblocks_async.blocking import MarketingBlocks

    with MarketingBlocks():
        pass
    if HOW == "atexit":
        atexit.register(late)
    if HOW == "thread":
        threading.Thread(target=when_the_main_thread_has_ended).start()
"""


@pytest.mark.parametrize("how", ["thread", "atexit"])
def test_calls_work_after_the_end_of_the_main_thread(sandbox: Sandbox, tmp_path: Path, how: str) -> None:
    out, _ = run_script(sandbox, tmp_path, LATE.replace("HOW", f'"{how}"')).communicate(timeout=30)
    assert out.startswith("post_id=1 "), out


def test_calls_after_the_loop_was_closed_are_refused(sandbox: Sandbox, tmp_path: Path) -> None:
    """By a function that was registered before ours, so it runs after it."""
    out, _ = run_script(sandbox, tmp_path, LATE.replace("HOW", '"early"')).communicate(timeout=30)
    assert out.startswith("ConfigurationError('the program is ending, and its blocking clients are closed"), out
    assert not sandbox.posts


def test_where_no_thread_can_be_started_work_is_done_and_no_loop_begins(monkeypatch: pytest.MonkeyPatch) -> None:
    """As in functions for ``atexit`` from Python 3.12 on."""

    def refuse(_: threading.Thread) -> None:
        msg = "can't create new thread at interpreter shutdown"
        raise RuntimeError(msg)

    monkeypatch.setattr(threading.Thread, "start", refuse)
    monkeypatch.setattr("concurrent.futures.thread._shutdown", True)
    executor = Executor()
    assert executor.submit(divmod, 7, 2).result(0) == (3, 1)
    assert isinstance(executor.submit(divmod, 7, 0).exception(0), ZeroDivisionError)
    with pytest.raises(ConfigurationError, match="the program is ending"):
        BackgroundLoop()


def test_where_too_many_threads_run_work_is_not_done_twice(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(_: threading.Thread) -> None:
        msg = "can't start new thread"
        raise RuntimeError(msg)

    done: list[int] = []
    executor = Executor(1)
    with monkeypatch.context() as patched:
        patched.setattr(threading.Thread, "start", refuse)
        with pytest.raises(RuntimeError, match="can't start new thread"):
            executor.submit(done.append, 1)
        with pytest.raises(RuntimeError, match="can't start new thread"):
            BackgroundLoop()
    executor.submit(done.append, 2).result()
    executor.shutdown()
    assert done == [1, 2]


def test_the_end_of_a_call_is_seen_although_ctrl_c_has_thrown_its_notice_away() -> None:
    """It comes when the notice has been taken out of the queue and before anything is done with it."""

    class Interrupted(queue.SimpleQueue[Any]):
        interrupted = False

        def get(self, block: bool = True, timeout: float | None = None) -> Any:
            notice = super().get(block, timeout)
            if not self.interrupted:
                self.interrupted = True
                raise KeyboardInterrupt
            return notice

    with pytest.raises(KeyboardInterrupt) as caught:
        background_loop().run(asyncio.sleep(0, "the result"), Interrupted())
    assert "the result" in caught.value.__notes__[0]


def test_ctrl_c_at_any_line_of_a_call_hides_nothing_and_leaves_the_loop_alive() -> None:
    loop = BackgroundLoop()
    passed: list[int] = []

    def interrupt_everywhere() -> None:
        for line in range(1, 500):
            if not _ends_with_word_of_it(loop, line):
                passed.append(line)
                return

    # In a thread of its own, since a loop that hangs would never let it go.
    thread = threading.Thread(target=interrupt_everywhere, daemon=True)
    thread.start()
    thread.join(60)
    assert passed, "a call or the loop hangs, or an outcome is told by nothing"
    assert passed[0] > 40
    loop.close()


def _ends_with_word_of_it(loop: BackgroundLoop, line: int) -> bool:
    """Make a call that Ctrl-C interrupts at its n-th line; return whether it has so many."""
    inbox: Inbox = queue.SimpleQueue()
    sent, ended = threading.Event(), threading.Event()

    async def call() -> str:
        sent.set()
        try:
            return await in_thread_of(inbox, lambda: "the result")
        except asyncio.CancelledError as cancelled:
            cancelled.add_note("it may have been carried out")
            raise
        finally:
            ended.set()

    lines = 0

    def trace(frame: FrameType, event: str, _argument: object) -> Any:
        nonlocal lines
        if "weakref" in frame.f_code.co_filename:
            # Python drops what is raised there.
            return None
        lines += event == "line"
        if event == "line" and lines == line:
            raise KeyboardInterrupt
        return trace

    def run() -> str:
        sys.settrace(trace)
        try:
            return loop.run(work, inbox)
        finally:
            sys.settrace(None)

    work = call()
    notes: list[str] | None = None
    try:
        assert run() == "the result"
    except KeyboardInterrupt as interrupt:
        notes = getattr(interrupt, "__notes__", [])
    finally:
        work.close()
    # The loop has done by then all that it was told.
    loop.run(asyncio.sleep(0))
    assert ended.is_set() == sent.is_set()
    assert notes or notes is None or not sent.is_set()
    return notes is not None


@pytest.mark.parametrize("told", [False, True])
def test_ctrl_c_just_before_a_fetch_ends_the_creation(
    client: MarketingBlocks, sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch, told: bool
) -> None:
    many = client.posts.create_many(posts(100), concurrency=2)
    found = [next(many)]
    loop: Any = background_loop()._loop  # pyright: ignore[reportPrivateUsage]  # there it is told to start
    tell = loop.call_soon_threadsafe

    def interrupted(*arguments: Any) -> None:
        monkeypatch.undo()
        if told:
            tell(*arguments)
        raise KeyboardInterrupt

    monkeypatch.setattr(loop, "call_soon_threadsafe", interrupted)
    with pytest.raises(KeyboardInterrupt):
        next(many)
    found += many.undelivered
    assert len({outcome.index for outcome in found if outcome.ok or outcome.may_have_happened}) >= len(sandbox.posts)
    with suppress(ConfigurationError):
        # What was fetched in the instant of Ctrl-C is still returned.
        assert {outcome.index for outcome in many} <= {outcome.index for outcome in found}
    assert len(sandbox.posts) < 10


@pytest.mark.skipif(sys.platform == "win32", reason="sends POSIX signals")
def test_ctrl_c_lets_the_rows_in_flight_of_a_bulk_run_come_to_their_end(sandbox: Sandbox, tmp_path: Path) -> None:
    sandbox.faults.add("slow_answer:endpoint=create-post,delay=0.3")
    process = run_script(
        sandbox,
        tmp_path,
        """
        from marketingblocks_async.blocking import BulkRun, Journal, MarketingBlocks, create_journal
        post = dict(channel_type="facebook", channel_id=1, post_type="post", media_urls=[], publish_mode="now")
        create_journal([dict(post, caption_text=str(number)) for number in range(500)], "posts.journal")
        with MarketingBlocks() as client, Journal("posts.journal") as journal:
            try:
                BulkRun(client, journal).run()
            except KeyboardInterrupt:
                counts = journal.counts()
                print(counts.unknown, counts.done > 0, counts.pending > 0)
        """,
    )
    _wait_for(lambda: len(sandbox.posts) > 5)
    process.send_signal(signal.SIGINT)
    out, _ = process.communicate(timeout=20)
    assert process.returncode == 0, out
    assert out.split() == ["0", "True", "True"]


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork")
def test_a_client_of_the_parent_is_opened_in_a_forked_child(sandbox: Sandbox, tmp_path: Path) -> None:
    process = run_script(
        sandbox,
        tmp_path,
        """
        import os, warnings
        warnings.simplefilter("ignore", DeprecationWarning)  # newer Pythons warn of a fork beside threads
        from marketingblocks_async import ConfigurationError
        from marketingblocks_async.blocking import MarketingBlocks
        post = dict(channel_type="facebook", channel_id=1, post_type="post", media_urls=[], publish_mode="now")
        unopened = MarketingBlocks()
        with MarketingBlocks() as client:
            copy = client.with_options(timeout=9)
            client.posts.create(caption_text="parent", **post)
            many = client.posts.create_many([dict(post, caption_text="many")])
            child = os.fork()
            if child == 0:
                for call in (lambda: client.posts.create(caption_text="never", **post), lambda: next(many)):
                    try:
                        call()
                    except ConfigurationError as error:
                        print(error, flush=True)
                client.open()
                client.posts.create(caption_text="child", **post)
                copy.posts.create(caption_text="child too", **post)
                with unopened:
                    unopened.posts.create(caption_text="child as well", **post)
                client.close()
                os._exit(0)
            print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)
            client.posts.create(caption_text="parent again", **post)
            print([outcome.ok for outcome in many])
        """,
    )
    out, _ = process.communicate(timeout=30)
    assert process.returncode == 0, out
    lines = out.splitlines()
    assert "the client is not open" in lines[0]
    assert "begin it again" in lines[1]
    assert lines[2:] == ["0", "[True]"]
    assert len(sandbox.posts) == 6


def test_nothing_is_left_when_the_interpreter_ends(sandbox: Sandbox, tmp_path: Path) -> None:
    process = run_script(
        sandbox,
        tmp_path,
        """
        from marketingblocks_async.blocking import MarketingBlocks
        client = MarketingBlocks()
        client.open()
        list(client.posts.upcoming())
        """,
    )
    out, _ = process.communicate(timeout=20)
    assert process.returncode == 0
    assert out == ""


def _wait_for(is_so: Callable[[], bool]) -> None:
    asyncio.run(until(is_so))
