"""From a source to a journal: what is stored, what is refused, what is left behind."""

from __future__ import annotations

import asyncio
import errno
import json
import sqlite3
import stat
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from marketingblocks_async import ConfigurationError, CreatePost
from marketingblocks_async.bulk import (
    InvalidRowsError,
    Journal,
    JournalError,
    JournalExistsError,
    JournalInUseError,
    JournalReader,
    RowState,
    SourceError,
    UnconfirmedRowsError,
    content_hash,
    create_journal,
    make_plan,
    media_requests,
    write_failures,
)
from marketingblocks_async.bulk.journal import create as create_module
from marketingblocks_async.bulk.journal.create import JournalBuilder

HEADER = "key,channel_type,channel_id,post_type,caption_text,media_urls,publish_mode"


def post(caption: str = "Hello", **changes: Any) -> CreatePost:
    fields: dict[str, Any] = {
        "channel_type": "facebook", "channel_id": 1, "post_type": "post", "caption_text": caption,
        "media_urls": [], "publish_mode": "now",
    }  # fmt: skip
    return CreatePost(**(fields | changes))


def write(path: Path, *lines: str) -> Path:
    path.write_text("\n".join([HEADER, *lines, ""]), encoding="utf-8")
    return path


def line(key: str, caption: str = "", channel: str = "1") -> str:
    return f"{key},facebook,{channel},post,{caption or f'Row {key}'},,now"


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "run.journal"


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return write(tmp_path / "posts.csv", line("a"), line("b"), line("c"))


def left_behind(path: Path, *, expected: bool = False) -> list[str]:
    """Return what there is beside the sources, and beside the journal if it is ``expected``."""
    known = {"posts.csv", "other.csv", "posts.jsonl", *([path.name] if expected else [])}
    return sorted(each.name for each in path.parent.iterdir() if each.name not in known)


def mode_of(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def content_of(path: Path) -> bytes:
    return path.read_bytes()


async def test_all_rows_are_in_it_and_it_is_ones_own(path: Path, file: Path) -> None:
    plan = await create_journal(file, path)
    assert (plan.rows, plan.valid, plan.ok) == (3, 3, True)
    assert mode_of(path) == 0o600
    with JournalReader(path) as journal:
        rows = list(journal.rows())
        assert [(row.number, row.key, row.state) for row in rows] == [
            (1, "a", RowState.PENDING), (2, "b", RowState.PENDING), (3, "c", RowState.PENDING),
        ]  # fmt: skip
        assert [content_hash(CreatePost.model_validate_json(row.request)) for row in rows] == [
            row.content_hash for row in rows
        ]
        assert journal.meta["source"] == str(file)
        assert journal.meta["source_kind"] == "csv"
        assert len(journal.meta["source_sha256"]) == 64
    assert left_behind(path, expected=True) == []


async def test_the_plan_is_that_of_a_dry_run(path: Path, tmp_path: Path) -> None:
    file = write(tmp_path / "posts.csv", line("a"), line("b", channel="x"), line("c", "Row a"))
    dry = make_plan(file).to_dict()
    assert (await create_journal(file, path, skip_invalid=True)).to_dict() == dry


async def test_an_invalid_row_stops_it_and_leaves_nothing(path: Path, tmp_path: Path) -> None:
    file = write(tmp_path / "posts.csv", line("a"), line("b", channel="x"), line("c", channel="y"))
    with pytest.raises(InvalidRowsError, match="2 rows are not valid") as caught:
        await create_journal(file, path)
    assert caught.value.plan is not None
    assert [error.row for error in caught.value.plan.errors] == [2, 3]
    assert left_behind(path) == []


async def test_invalid_rows_are_kept_as_failed_with_their_cells(path: Path, tmp_path: Path) -> None:
    file = tmp_path / "posts.csv"
    file.write_text(f"{HEADER},Notes,_error\nb,facebook,x,post,Text,,now,mine,old\n,myspace,,,,,,,\n{line('c')},,\n")
    await create_journal(file, path, skip_invalid=True, columns={"Notes": None})
    with JournalReader(path) as journal:
        assert journal.counts().to_dict() == {"total": 3, "done": 0, "failed": 2, "pending": 1, "unknown": 0}
        first, second = journal.rows([RowState.FAILED])
        assert (first.key, second.key) == ("b", "2")
        assert json.loads(first.request) == {
            "key": "b", "channel_type": "facebook", "channel_id": "x", "post_type": "post", "caption_text": "Text",
            "publish_mode": "now", "_Notes": "mine", "_error": "old",
        }  # fmt: skip
        assert first.error is not None
        assert first.error.startswith("channel_id: ")
        assert first.error_type == "InvalidRow"


async def test_a_source_of_invalid_rows_only(path: Path, tmp_path: Path) -> None:
    await create_journal(write(tmp_path / "posts.csv", line("a", channel="x")), path, skip_invalid=True)
    with JournalReader(path) as journal:
        assert journal.counts().failed == 1


async def test_an_empty_source(path: Path, tmp_path: Path) -> None:
    plan = await create_journal(write(tmp_path / "posts.csv"), path)
    assert plan.rows == 0
    with JournalReader(path) as journal:
        assert journal.counts().total == 0


async def test_a_journal_without_rows_is_in_the_way_of_no_other(path: Path, tmp_path: Path) -> None:
    posts = write(tmp_path / "posts.csv")
    await create_journal(posts, path)
    with pytest.raises(InvalidRowsError):
        await create_journal(write(posts, line("a", channel="x")), path)
    with JournalReader(path) as journal:
        assert journal.counts().total == 0
    await create_journal(write(posts, line("a")), path)
    with JournalReader(path) as journal:
        assert journal.counts().pending == 1
    with pytest.raises(JournalExistsError):
        await create_journal(write(posts), path)


async def test_a_journal_whose_rows_are_gone_is_not_one_without_rows(path: Path, tmp_path: Path) -> None:
    posts = write(tmp_path / "posts.csv", line("a"))
    await create_journal(posts, path)
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("DELETE FROM requests")
        connection.commit()
    with pytest.raises(JournalError, match="damaged"):
        await create_journal(posts, path)


async def test_what_cannot_be_encoded_is_an_invalid_row_like_others(path: Path) -> None:
    rows: list[Any] = [
        {"key": "\ud800", "caption_text": "\udfff", "\udc00": 1},
        {"key": "k" * 100_000},
        {"caption_text": "x" * 10**6},
    ]
    with pytest.raises(InvalidRowsError):
        await create_journal(rows, path)
    assert left_behind(path) == []
    plan = await create_journal(rows, path, skip_invalid=True)
    assert plan.invalid == 3
    with JournalReader(path) as journal:
        assert journal.counts().failed == 3
        write_failures(journal, path.with_name("posts.csv"))


async def test_a_file_that_breaks_off(path: Path, tmp_path: Path) -> None:
    (tmp_path / "posts.jsonl").write_bytes(post().model_dump_json().encode() + b"\n\xff\xff\n")
    for skip_invalid in (False, True):
        with pytest.raises((SourceError, InvalidRowsError)) as caught:
            await create_journal(tmp_path / "posts.jsonl", path, skip_invalid=skip_invalid, encoding="utf-8")
        assert isinstance(caught.value, SourceError | InvalidRowsError)
        assert caught.value.plan is not None
        assert left_behind(path) == []


async def test_there_is_no_such_file(path: Path, tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="no such file"):
        await create_journal(tmp_path / "nothere.csv", path)
    assert left_behind(path) == []


async def test_json_lines_mappings_objects_and_async_iterables(tmp_path: Path) -> None:
    posts = [post(f"Row {number}") for number in range(2500)]
    objects = [json.loads(each.model_dump_json(exclude_none=True)) for each in posts]
    (tmp_path / "posts.jsonl").write_text("\n".join(map(json.dumps, objects)))

    async def later() -> AsyncIterator[CreatePost]:
        for each in posts:
            await asyncio.sleep(0)
            yield each

    sources: list[Any] = [posts, objects, later(), tmp_path / "posts.jsonl", (each for each in posts)]
    found: list[list[tuple[int, str, str]]] = []
    for number, source in enumerate(sources):
        target = tmp_path / f"{number}.journal"
        assert (await create_journal(source, target)).valid == 2500
        with JournalReader(target) as journal:
            found.append([(row.number, row.content_hash, row.request) for row in journal.rows()])
    assert all(each == found[0] for each in found)


async def test_columns_are_mapped_and_lists_separated(path: Path, tmp_path: Path) -> None:
    file = tmp_path / "posts.csv"
    file.write_text(
        "channel_type,channel_id,post_type,Text,media_urls,publish_mode\nfacebook,1,post,Hi,https://e.com/a;https://e.com/b,now\n"
    )
    await create_journal(file, path, columns={"Text": "caption_text"}, list_separator=";")
    with JournalReader(path) as journal:
        [row] = journal.rows()
        assert json.loads(row.request)["media_urls"] == ["https://e.com/a", "https://e.com/b"]


async def test_an_existing_journal_says_which_file_it_was_made_from(path: Path, tmp_path: Path, file: Path) -> None:
    await create_journal(file, path)
    before = content_of(path)
    other = write(tmp_path / "other.csv", line("d"))

    async def refusal(source: Any) -> str:
        with pytest.raises(JournalExistsError, match="0 of 3 rows done") as caught:
            await create_journal(source, path)
        return str(caught.value)

    assert "from this same file; go on with it: marketingblocks bulk resume" in await refusal(file)
    assert f"from {file}; go on with it: marketingblocks bulk resume" in await refusal(other)
    assert f"from {file}; go on with it: marketingblocks bulk resume" in await refusal([post()])
    write(file, line("a"))
    changed = f"{file} has changed since the journal was made from it"
    assert f"{changed}; go on with it: marketingblocks bulk resume" in await refusal(file)
    # Also a file that is not valid: its journal is there, and must not be made anew.
    write(file, line("a", channel="x"))
    assert f"{file} has changed since" in await refusal(file)
    assert content_of(path) == before
    assert left_behind(path, expected=True) == []


async def test_a_journal_that_is_being_run_or_made(path: Path, file: Path) -> None:
    builder = JournalBuilder(path)
    with pytest.raises(JournalInUseError):
        await create_journal(file, path)
    builder.abandon()
    await create_journal(file, path)
    async with Journal(path):
        with pytest.raises(JournalError):
            await create_journal(file, path)


async def test_a_cancelled_import_leaves_nothing(path: Path) -> None:
    reached = asyncio.Event()

    async def endless() -> AsyncIterator[CreatePost]:
        for number in range(2000):
            yield post(f"Row {number}")
        reached.set()
        await asyncio.Event().wait()

    task = asyncio.create_task(create_journal(endless(), path))
    await reached.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert left_behind(path) == []
    # And nothing is in the way of the next one.
    assert (await create_journal([post()], path)).valid == 1


@pytest.mark.parametrize("step", ["__init__", "finish"])
async def test_an_import_that_is_cancelled_while_a_thread_works_leaves_nothing(
    path: Path, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    loop, real = asyncio.get_running_loop(), getattr(JournalBuilder, step)

    def cancelled(*arguments: Any) -> None:
        real(*arguments)
        loop.call_soon_threadsafe(task.cancel)

    monkeypatch.setattr(JournalBuilder, step, cancelled)
    task = asyncio.create_task(create_journal([post()], path))
    with pytest.raises(asyncio.CancelledError):
        await task
    assert left_behind(path) == []
    monkeypatch.undo()
    assert (await create_journal([post()], path)).valid == 1


async def test_a_journal_is_removed_if_its_folder_cannot_be_written_to_the_disk(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def failing(place: Path) -> None:
        if place.is_dir():
            raise OSError(errno.EIO, "Input/output error")

    monkeypatch.setattr(create_module, "sync", failing)
    with pytest.raises(JournalError, match="Input/output error"):
        await create_journal([post()], path)
    assert left_behind(path) == []


async def test_a_database_that_cannot_be_opened_leaves_nothing(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: Any, **__: Any) -> None:
        msg = "unable to open database file"
        raise sqlite3.OperationalError(msg)

    with monkeypatch.context() as patch:
        patch.setattr(sqlite3, "connect", full)
        with pytest.raises(JournalError, match="unable to open"):
            await create_journal([post()], path)
    assert left_behind(path) == []
    assert (await create_journal([post()], path)).valid == 1


def test_a_builder_that_was_abandoned_removes_no_file_of_the_next_one(path: Path) -> None:
    first = JournalBuilder(path)
    first.abandon()
    second = JournalBuilder(path)
    first.abandon()
    second.finish({})
    second.release()
    assert left_behind(path, expected=True) == []


async def test_a_source_that_raises_leaves_nothing(path: Path) -> None:
    def broken() -> Any:
        yield post()
        raise LookupError

    with pytest.raises(LookupError):
        await create_journal(broken(), path)
    assert left_behind(path) == []


def folder(path: Path) -> Path:
    path.mkdir()
    return path


def no_folder(path: Path) -> Path:
    return path / "deeper" / "run.journal"


def text_file(path: Path) -> Path:
    path.write_text("this is my diary")
    return path


def nothing(path: Path) -> Path:
    return Path(path.anchor and "")


def long_name(path: Path) -> Path:
    return path.with_name("x" * 300)


@pytest.mark.parametrize("place", [folder, no_folder, text_file, nothing, long_name])
async def test_journals_that_cannot_be_made(path: Path, file: Path, place: Callable[[Path], Path]) -> None:
    with pytest.raises(JournalError):
        await create_journal(file, place(path))


@pytest.mark.parametrize(
    ("settings_", "error"),
    [
        ({"columns": {"caption_text": "nonsense"}}, ConfigurationError),
        ({"list_separator": ""}, ConfigurationError),
        ({"rate": 0}, ValueError),
        ({"max_errors": -1}, ValueError),
        ({"encoding": "klingon"}, SourceError),
        ({"sheet": "January"}, SourceError),
    ],
)
async def test_settings_that_make_no_sense(
    path: Path, file: Path, settings_: dict[str, Any], error: type[Exception]
) -> None:
    with pytest.raises(error):
        await create_journal(file, path, **settings_)
    assert left_behind(path) == []


async def test_what_is_no_source(path: Path) -> None:
    for source in (None, 7, b"posts.csv", post()):
        with pytest.raises(TypeError):
            await create_journal(source, path)  # type: ignore[arg-type]
    assert left_behind(path) == []


# Spreadsheets trim cells and have words of their own for errors, so the texts here neither begin nor end with white
# space nor look like those; what they do look like are numbers, formulas, lists and line breaks.
WORDS = (
    st.text("aZ9é🎉=+-'\"|;, \n\t{[\u00a0中", min_size=1, max_size=30).map(str.strip).filter(lambda text: text != "")
)
TAGS = st.text("aZ9é中_", min_size=1, max_size=10)
POSTS = st.builds(
    post,
    WORDS,
    channel_id=st.integers(1, 2**53),
    media_urls=st.lists(
        st.sampled_from(["https://e.com/ä.jpg", "https://e.com/a.jpg?b=1|2", "https://e.com/"]), max_size=3
    ),
    hash_tags=st.none() | st.lists(TAGS, min_size=1, max_size=3),
    twitter_threads=st.none() | st.lists(st.fixed_dictionaries({"message": WORDS}), min_size=1, max_size=3),
    post_extra=st.none() | st.fixed_dictionaries({"title": WORDS}),
)


@settings(max_examples=25)
@given(st.lists(POSTS, min_size=1, max_size=20))
def test_a_stored_row_is_sent_exactly_as_it_was_given(
    tmp_path_factory: pytest.TempPathFactory, posts: list[CreatePost]
) -> None:
    path = tmp_path_factory.mktemp("journal") / "j"
    asyncio.run(create_journal(posts, path))
    with JournalReader(path) as journal:
        for given_, row in zip(posts, journal.rows(), strict=True):
            stored = CreatePost.model_validate_json(row.request)
            assert stored.wire() == given_.wire()
            assert content_hash(stored) == row.content_hash == content_hash(given_)


@settings(max_examples=25)
@given(st.lists(POSTS, min_size=1, max_size=10))
def test_a_file_of_failures_gives_the_same_posts_again(
    tmp_path_factory: pytest.TempPathFactory, posts: list[CreatePost]
) -> None:
    folder_ = tmp_path_factory.mktemp("journal")

    async def there_and_back() -> None:
        await create_journal(posts, folder_ / "first")
        with JournalReader(folder_ / "first") as journal:
            assert write_failures(journal, folder_ / "failed.csv", tuple(RowState)) == len(posts)
            hashes = [row.content_hash for row in journal.rows()]
        await create_journal(folder_ / "failed.csv", folder_ / "second")
        with JournalReader(folder_ / "second") as journal:
            assert [row.content_hash for row in journal.rows()] == hashes

    asyncio.run(there_and_back())


PAST = {"publish_mode": "scheduled", "schedule_time": "2020-01-01 10:00", "time_zone": "UTC"}


@pytest.mark.parametrize(
    ("rows", "refused_by", "words"),
    [
        ([post(), post("Other", **PAST)], "allow_past", "1 row has a schedule time that is past (row 2)"),
        (
            [post(), post(), post()],
            "allow_duplicates",
            "2 rows repeat the post of an earlier row",
        ),
    ],
)
async def test_rows_that_may_not_be_meant_can_be_refused(
    path: Path, rows: list[CreatePost], refused_by: str, words: str
) -> None:
    refusing: dict[str, Any] = {refused_by: False}
    with pytest.raises(UnconfirmedRowsError) as caught:
        await create_journal(rows, path, **refusing)
    assert words in str(caught.value)
    assert refused_by in str(caught.value)
    assert caught.value.plan is not None
    assert caught.value.plan.ok
    assert left_behind(path) == []
    await create_journal(rows, path)


async def test_media_that_are_not_there_refuse_the_file_if_they_are_checked(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    address = "https://example.com/missing.jpg"

    async def check(_addresses: Iterable[str]) -> dict[str, str]:
        await asyncio.sleep(0)
        return {address: "the server answers 404"}

    monkeypatch.setattr(media_requests, "check_media", check)
    rows = [post(), post("Other", media_urls=[address])]
    with pytest.raises(UnconfirmedRowsError, match=r"1 addresses.*row 2.*the server answers 404") as caught:
        await create_journal(rows, path, check_media=True)
    assert caught.value.plan is not None
    assert [warning.row for warning in caught.value.plan.warnings] == [2]
    assert left_behind(path) == []
    assert (await create_journal(rows, path)).warnings == ()


async def test_what_another_run_has_sent_to_the_same_api_or_will_is_a_repetition(path: Path, tmp_path: Path) -> None:
    await create_journal([post("Pending"), post("Sending"), post("Failed"), post("Here")], tmp_path / "other.journal")
    async with Journal(tmp_path / "other.journal") as other:
        await other.noted("base_url", "https://one.example/api/v1")
        await other.intend(2)
        await other.intend(3)
        other.end(3, RowState.FAILED, error=ValueError("refused"))
    # It was only planned.
    await create_journal([post("New")], tmp_path / "plan.journal")
    (tmp_path / "broken.journal").write_text("no database")
    rows = [post("Failed"), post("Sending"), post("Pending"), post("New"), post("Sending")]
    with pytest.raises(
        UnconfirmedRowsError, match=r"pending in another run \(rows 2, 3 by the run of .*other\.journal\)"
    ):
        await create_journal(rows[:4], path, allow_duplicates=False, base_url="https://one.example/api/v1/")
    assert left_behind(path) == ["broken.journal", "other.journal", "plan.journal"]
    for number, base_url in enumerate((None, "https://two.example/api/v1", "https://one.example:8443/api/v1")):
        elsewhere = tmp_path / f"{number}.journal"
        plan = await create_journal(rows[:4], elsewhere, allow_duplicates=False, base_url=base_url)
        assert plan.valid == 4
    # The library allows repetitions unless told otherwise.
    assert (await create_journal(rows, path, base_url="https://one.example/api/v1")).valid == 5
