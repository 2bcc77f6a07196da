"""Sources that are no files, kinds of files, and reading without blocking."""

from __future__ import annotations

import asyncio
import os
import sys
import threading
from collections.abc import AsyncGenerator, AsyncIterator, Iterator
from contextlib import suppress
from pathlib import Path
from types import MappingProxyType
from typing import Any, cast

import pytest

from marketingblocks_async.bulk import make_plan
from marketingblocks_async.bulk.errors import SourceError
from marketingblocks_async.bulk.sheets.layout import RawRow
from marketingblocks_async.bulk.sheets.rows import Row, parse_row
from marketingblocks_async.bulk.sheets.sources import (
    AsyncRowStream,
    Item,
    Source,
    SyncSource,
    aread_rows,
    read_rows,
)
from marketingblocks_async.errors import ConfigurationError
from marketingblocks_async.models import CreatePost, TwitterThreadItem
from tests.support.workbooks import HEADER, LINE, errors, failure, fields, parsed, post, posts, written


def create_post(**changes: Any) -> CreatePost:
    return CreatePost.model_validate(fields(**changes))


async def slowly(*items: Item) -> AsyncIterator[Item]:
    for item in items:
        await asyncio.sleep(0)
        yield item


async def all_of(stream: AsyncRowStream) -> list[RawRow]:
    async with stream:
        return [raw async for raw in stream]


class TestIterables:
    def test_mappings_and_posts_may_be_mixed(self) -> None:
        items: list[Item] = [
            fields(caption_text="a"),
            create_post(caption_text="b"),
            MappingProxyType(fields(caption_text="c")),
        ]
        assert [each.caption_text for each in posts(items)] == ["a", "b", "c"]

    def test_a_ready_made_post_comes_out_as_it_is(self) -> None:
        given = create_post(
            channel_type="youtube",
            caption_text="",
            media_urls=["https://e.com/a,b|c"],
            hash_tags=" #a|#b ",
            post_extra={"title": " t ", "category": 44},
        )
        assert post([given]) == given

    @pytest.mark.parametrize("text", ["a\0b", "half \ud83d"])
    def test_a_ready_made_post_with_characters_that_cannot_be_published_is_refused(self, text: str) -> None:
        (error,) = errors([create_post().model_copy(update={"caption_text": text})])
        assert (error.row, error.column, error.file, error.line) == (1, "caption_text", "", None)
        thread = create_post(post_type="thread", twitter_threads=[{"message": "fine"}])
        tweets = [TwitterThreadItem.model_construct(message=text)]
        (error,) = errors([thread.model_copy(update={"twitter_threads": tweets})])
        assert error.column == "twitter_threads"

    def test_a_ready_made_post_that_was_never_checked_is_checked(self) -> None:
        (error,) = errors([CreatePost.model_construct(**fields(channel_type="myspace"))])
        assert error.column == "channel_type"
        assert "facebook" in error.message

    def test_a_number_that_cannot_be_written_down_is_refused(self) -> None:
        (error,) = errors([create_post().model_copy(update={"channel_id": 10**5000})])
        assert "digits" in error.message

    @pytest.mark.parametrize("item", [None, 5, "facebook", ["facebook"], object()])
    def test_what_is_no_row_is_an_error_of_its_row(self, item: Any) -> None:
        first, bad, last = parsed([fields(), item, fields()])
        assert isinstance(first, Row)
        assert isinstance(last, Row)
        assert isinstance(bad, list)
        assert "mapping" in bad[0].message
        assert bad[0].row == 2

    @pytest.mark.parametrize("name", [1, None, b"caption_text", True])
    def test_names_that_are_no_text_are_an_error_of_the_row(self, name: Any) -> None:
        (error,) = errors([{name: "x"}])
        assert "must be text" in error.message

    def test_items_are_taken_one_by_one(self) -> None:
        taken: list[int] = []

        def items() -> Iterator[dict[str, Any]]:
            for number in range(10):
                taken.append(number)
                yield fields()

        next(read_rows(items()))
        assert taken == [0]

    def test_what_the_iterable_raises_comes_out(self) -> None:
        def items() -> Iterator[dict[str, Any]]:
            yield fields()
            raise fault

        fault = KeyError("mine")
        with pytest.raises(KeyError) as caught:
            parsed(items())
        assert caught.value is fault

    @pytest.mark.parametrize("source", [fields(), create_post(), b"posts.csv", 5, None])
    def test_what_is_no_source_is_refused_at_once(self, source: Any) -> None:
        with pytest.raises(TypeError, match="a source is"):
            read_rows(source)
        with pytest.raises(TypeError, match="a source is"):
            aread_rows(source)

    def test_an_async_iterable_needs_the_async_reader(self) -> None:
        with pytest.raises(TypeError, match="aread_rows"):
            read_rows(cast("SyncSource", slowly()))


class TestKindsOfFiles:
    @pytest.mark.parametrize("name", ["posts.xls", "posts.ods", "posts.xlsm", "posts.xlsb", "posts.numbers"])
    def test_another_workbook_is_refused_with_what_to_do(self, name: str) -> None:
        assert ".xlsx" in failure(name).message

    @pytest.mark.parametrize("name", ["posts", "posts.yaml", "posts.doc", ".csv"])
    def test_another_ending_is_refused_with_those_that_are_read(self, name: str) -> None:
        error = failure(name)
        assert ".csv, .tsv, .txt, .jsonl, .ndjson, .json, .xlsx" in error.message
        assert error.file == name

    def test_a_sheet_is_for_workbooks_only(self, tmp_path: Path) -> None:
        assert "no sheets" in failure(written(tmp_path / "posts.csv", HEADER), sheet="March").message

    def test_a_missing_library_is_named_with_its_extra(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setitem(sys.modules, "openpyxl", None)
        error = failure(written(tmp_path / "posts.xlsx", b"PK"))
        assert "marketingblocks-async[xlsx]" in error.message

    def test_a_path_may_be_text(self, tmp_path: Path) -> None:
        path = written(tmp_path / "posts.csv", f"{HEADER}\n{LINE}\n")
        assert posts(str(path)) == posts(path)


class TestWithoutBlocking:
    async def test_every_source_gives_the_same_rows(self, tmp_path: Path) -> None:
        path = written(tmp_path / "posts.csv", f"{HEADER}\n" + f"{LINE}\n" * 1000)
        items = [fields()] * 1000
        sources: list[Source] = [path, items, slowly(*items)]
        for source in sources:
            rows = await all_of(aread_rows(source))
            assert [raw.number for raw in rows] == list(range(1, 1001))
            assert all(isinstance(parse_row(raw), Row) for raw in rows)

    async def test_files_are_read_in_another_thread(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        threads: set[int] = set()
        original = RawRow.__init__

        def note(self: RawRow, *args: Any, **kwargs: Any) -> None:
            threads.add(threading.get_ident())
            original(self, *args, **kwargs)

        monkeypatch.setattr(RawRow, "__init__", note)
        stream = aread_rows(written(tmp_path / "posts.csv", f"{HEADER}\n{LINE}\n"))
        assert len(await all_of(stream)) == 1
        assert stream.facts.sha256 is not None
        assert threading.get_ident() not in threads

    async def test_a_long_list_lets_others_run(self) -> None:
        turns = 0

        async def other() -> None:
            nonlocal turns
            while True:
                turns += 1
                await asyncio.sleep(0)

        task = asyncio.create_task(other())
        assert len(await all_of(aread_rows([fields()] * 2000))) == 2000
        task.cancel()
        assert turns > 3

    async def test_rows_before_a_fault_are_handed_out_first(self, tmp_path: Path) -> None:
        path = written(tmp_path / "posts.csv", f'{HEADER}\n{LINE}\n{LINE}\n"a"b\n')
        stream = aread_rows(path)
        assert [(await anext(stream)).number for _ in range(2)] == [1, 2]
        with pytest.raises(SourceError, match="closing quote"):
            await anext(stream)

    async def test_an_early_end_closes_the_file(self, tmp_path: Path) -> None:
        # An unclosed file would be a warning, and so an error.
        async with aread_rows(written(tmp_path / "posts.csv", f"{HEADER}\n" + f"{LINE}\n" * 5000)) as stream:
            assert (await anext(stream)).number == 1

    async def test_an_early_end_closes_the_caller_s_generator(self) -> None:
        closed: list[bool] = []

        async def items() -> AsyncGenerator[dict[str, Any], None]:
            try:
                while True:
                    yield fields()
            finally:
                closed.append(True)

        async with aread_rows(items()) as stream:
            await anext(stream)
        assert closed == [True]

    async def test_a_cancelled_reading_waits_for_its_thread(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        started, go_on = threading.Event(), threading.Event()
        original = RawRow.__init__

        def wait(self: RawRow, *args: Any, **kwargs: Any) -> None:
            started.set()
            go_on.wait(10)
            original(self, *args, **kwargs)

        monkeypatch.setattr(RawRow, "__init__", wait)
        path = written(tmp_path / "posts.csv", f"{HEADER}\n{LINE}\n")
        task = asyncio.create_task(all_of(aread_rows(path)))
        await asyncio.to_thread(started.wait, 10)
        task.cancel()
        await asyncio.sleep(0)
        go_on.set()
        with pytest.raises(asyncio.CancelledError):
            await task


@pytest.mark.parametrize("separator", ["", "a", "/", ".", '"', "%"])
def test_a_separator_that_cannot_separate_is_refused(separator: str) -> None:
    with pytest.raises(ConfigurationError, match="list_separator"):
        read_rows([], list_separator=separator)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="there are no named pipes")
def test_a_pipe_is_read_once(tmp_path: Path) -> None:
    text = f"{HEADER},schedule_time,time_zone\n{LINE},14/03/2037 09:05,Africa/Lagos\n".replace(",now,", ",scheduled,")
    for name, words in (("posts.csv", "the later dates of this column"), ("posts.xlsx", "from a pipe; save it")):
        os.mkfifo(tmp_path / name)
        writer = threading.Thread(target=_written_to, args=(tmp_path / name, text))
        writer.start()
        try:
            (error,) = make_plan(tmp_path / name).errors
            message = error.message
        except SourceError as refused:
            message = refused.message
        writer.join()
        assert words in message


def _written_to(pipe: Path, text: str) -> None:
    with suppress(BrokenPipeError):
        pipe.write_text(text)
