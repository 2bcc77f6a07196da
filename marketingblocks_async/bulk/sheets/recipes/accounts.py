"""Find rows that seem to be for different accounts, but would all be sent to the same channel.

A column such as "Client" or "Page name" holds no field of a post, so it would be left out, and with it whose post it
is. One account all through is no reason to ask. If posts of two accounts would go to one channel, they are refused
unless the options name the accounts or leave the column out.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TypeAlias

from marketingblocks_async.bulk.plan import SourceInfo
from marketingblocks_async.bulk.sheets.captions import stands_for_nothing
from marketingblocks_async.bulk.sheets.cells import BLANKS, SheetNumber, cell_at
from marketingblocks_async.bulk.sheets.columns import names_accounts, normal_name
from marketingblocks_async.bulk.sheets.display import visible
from marketingblocks_async.bulk.sheets.layout import Unreadable
from marketingblocks_async.bulk.sheets.spellings import PLATFORMS, spelled, truth

from .known_columns import Sources
from .recipe import CHANNEL, Recipe, recipe_names
from .row_channels import RowChannels

Seen: TypeAlias = dict[tuple[str, str, str], dict[str, str]]
"""Column, platform and id of a channel → the first two accounts whose posts go there, and how the file spells them."""


class Accounts:
    """Tells which rows would go to a channel that is not theirs, by the columns that hold no field.

    Args:
        sources: the columns.
        recipe: how they are read.
        channels: finds the channels of a row.
        seen: takes the accounts of each channel; the headers of one file share it.
        info: takes the notes.

    """

    def __init__(self, sources: Sources, recipe: Recipe, channels: RowChannels, seen: Seen, info: SourceInfo) -> None:
        self._words = recipe.words
        self._columns: Mapping[int, str] = {
            index: sources.names[index].strip(BLANKS)
            for index in sources.unknown
            if names_accounts(sources.names[index])
        }
        self._channels = channels
        self._seen = seen
        self._info = info
        self._noted: set[str] = set()
        # In the file of another program, its "Brand" is an account of that program.
        is_program = recipe.name in recipe_names() and recipe.name != "calendar"
        self._doubted = {
            index: name for index, name in self._columns.items() if is_program or names_accounts(name) == "surely"
        }
        given = {channel for channels in recipe.channels.values() for channel in channels}
        self._has_names = any(spelled(name) not in PLATFORMS for name in recipe.channels)
        platforms = [channel.platform for channel in given]
        self._has_several = {each for each in platforms if platforms.count(each) > 1}

    def asks(self, cells: Sequence[object]) -> bool:
        """Tell whether the other rows say more about this one."""
        is_any = self._has_names or self._has_several
        return any(_account(cell_at(cells, index)) for index in (self._columns if is_any else self._doubted))

    def look(self, cells: Sequence[object]) -> None:
        """Take a row into account: whose post goes to which channel."""
        said = {name: account for index, name in self._columns.items() if (account := _account(cell_at(cells, index)))}
        for column, account in said.items():
            for key in self._keys(cells, column):
                accounts = self._seen.setdefault(key, {})
                if len(accounts) < 2:
                    accounts.setdefault(spelled(account) or account.casefold(), account)

    def doubt(self, cells: Sequence[object]) -> Unreadable | None:
        """Return what to do about a row whose channel gets posts of several accounts."""
        self.look(cells)
        for index, name in self._columns.items():
            for key in self._keys(cells, name):
                if len(accounts := self._seen.get(key, {})) < 2:
                    continue
                message, platform = self._message(name, key[1:], [*accounts.values()]), key[1]
                if index in self._doubted or self._has_names or platform in self._has_several:
                    return Unreadable(message, visible(name), visible(_account(cell_at(cells, index))))
                if name not in self._noted and message not in self._info.notes:
                    self._info.notes.append(message)
                self._noted.add(name)
        return None

    def _keys(self, cells: Sequence[object], column: str) -> Iterator[tuple[str, str, str]]:
        """Yield what the channels of a row have in ``seen``; none if the row itself says which they are."""
        if not self._channels.says_channel(cells):
            for platform, channel_id, _ in self._channels.of_row(cells):
                if isinstance(platform, str) and isinstance(channel_id, str):
                    yield normal_name(column), platform, channel_id

    def _message(self, name: str, channel: tuple[str, str], accounts: Sequence[str]) -> str:
        column, (platform, channel_id), words = visible(name), channel, self._words
        shown = [visible(account) for account in accounts]
        given = " and ".join(words.channel(f"{account}={platform}:ID") for account in shown)
        as_ids = ""
        if all(account.isdecimal() for account in accounts):
            as_ids = f"; if they are the ids of channels, {words.map(column, 'channel_id')}"
        return (
            f'the column "{column}" may name several accounts ("{shown[0]}", "{shown[1]}"), and their posts all go '
            f"to {platform} {channel_id}; if it says where they go, say {words.map(column, CHANNEL)} and {given}"
            f"{as_ids}; if not, leave it out: {words.ignore(column)}"
        )


def _account(cell: object) -> str:
    """Return the account that a cell names; empty if it names none: it is blank, says yes or no, or is a platform."""
    value = cell.value if isinstance(cell, SheetNumber) else cell
    if isinstance(value, bool) or not isinstance(value, str | int):
        return ""
    text = str(value).strip(BLANKS)[:200]
    is_yes_or_no = isinstance(value, str) and truth(text) is not None
    return "" if is_yes_or_no or stands_for_nothing(text) or spelled(text) in PLATFORMS else text
