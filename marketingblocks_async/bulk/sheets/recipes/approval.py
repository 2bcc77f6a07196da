"""Find rows that are not meant to be sent: drafts, ideas, and rows that are not approved or were sent already.

Another program's columns of that kind hold no field of a post, so they would be left out, and with them the reason why
a row is not to be sent. Such a row is refused, unless the options choose rows by the column or leave it out.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence

from marketingblocks_async.bulk.sheets.cells import cell_at
from marketingblocks_async.bulk.sheets.columns import Says, approval_in, is_note, normal_name
from marketingblocks_async.bulk.sheets.display import readable, visible
from marketingblocks_async.bulk.sheets.layout import Unreadable
from marketingblocks_async.bulk.sheets.spellings import spelled, truth

from .known_columns import Sources
from .recipe import Recipe, load_recipe, recipe_names

_APPROVED_WORDS = frozenset(
    map(
        spelled,
        (
            "approved", "approved by client", "client approved", "scheduled", "ready", "ready to go", "ready to post",
            "ready for posting", "ready to publish", "ready for publishing", "ready to schedule",
            "ready for scheduling", "good to go", "final", "ok", "confirmed", "queued", "to be posted", "to post",
            "to be published", "to publish", "to be scheduled", "to schedule",
            "freigegeben", "genehmigt", "geplant", "eingeplant", "bereit",
            "aprobado", "aprobada", "programado", "programada", "listo", "lista", "listo para publicar",
            "aprovado", "aprovada", "agendado", "agendada",
            "approuvé", "approuvée", "validé", "validée", "programmé", "programmée", "planifié", "planifiée", "prêt",
            "à publier", "approvato", "approvata", "programmato", "programmata", "goedgekeurd", "ingepland",
        ),
    )
)  # fmt: skip
"""Words for rows that are to be sent. Others, such as "planned", may mean either."""

_NOTHING = frozenset({"-", "--", "\u2013", "\u2014", "n/a", "n.a.", "na"})
"""What people write into a cell that they leave empty; "TBD" and "none" say more of an approval."""

_LONGEST_WORDS = 80
"""Characters of a cell that is compared as it is."""

_MOST_WORDS = 20
"""Words of one column that are remembered."""


class Approval:
    """Tells which rows are not meant to be sent, by the columns that hold no field.

    Args:
        sources: the columns.
        recipe: how they are read.
        given: columns that the caller names.

    """

    def __init__(self, sources: Sources, recipe: Recipe, given: Collection[str] = ()) -> None:
        self._words = recipe.words
        shipped = load_recipe(recipe.name) if recipe.name in recipe_names() else Recipe()
        chosen = {normal_name(each.column) for each in recipe.where if each not in shipped.where}
        # A recipe of the package leaves such columns out for all its users; anyone else means what they say.
        left_out = [
            re.compile(".*".join(re.escape(normal_name(part)) for part in name.split("*")), re.DOTALL)
            for name, target in recipe.columns.items()
            if target is None and (name in given or name not in shipped.columns)
        ]
        self._columns: dict[int, tuple[str, Says]] = {}
        for index, name in enumerate(sources.names):
            normal = normal_name(name)
            kind = approval_in(name)
            is_said = normal in chosen or any(each.fullmatch(normal) for each in left_out)
            if kind is not None and not is_said and not is_note(name) and sources.target_of(index) is None:
                self._columns[index] = name, kind
        self._approving: dict[int, dict[str, str]] = {index: {} for index in self._columns}
        # To show a cell takes long, and most rows say the same.
        self._last: dict[int, object] = {}

    def look(self, cells: Sequence[object]) -> None:
        """Take a row into account: what columns say of rows that are to be sent."""
        for index, (_, kind) in self._columns.items():
            cell = cell_at(cells, index)
            words = self._approving[index]
            if isinstance(cell, str) and cell == self._last.get(index):
                continue
            self._last[index] = cell
            if cell is not None and kind != "draft" and _is_approved(cell) and len(words) < _MOST_WORDS:
                said = "yes" if truth(cell) else _text(cell)
                words.setdefault(said.casefold(), said)

    def asks(self, cells: Sequence[object]) -> bool:
        """Tell whether the other rows say more about this one."""
        return any(self._is_doubtful(cell_at(cells, index), kind) for index, (_, kind) in self._columns.items())

    @staticmethod
    def _is_doubtful(cell: object, kind: Says) -> bool:
        if cell is None:
            return kind == "approved"
        if kind != "approved" and isinstance(cell, str) and cell.strip().casefold() in _NOTHING:
            return False
        return truth(cell) is not False if kind == "draft" else not _is_approved(cell)

    def doubt(self, cells: Sequence[object]) -> Unreadable | None:
        """Return what to do about a row that may not be meant to be sent."""
        self.look(cells)
        for index, (name, kind) in self._columns.items():
            cell = cell_at(cells, index)
            words = list(self._approving[index].values())
            # A column that says yes in no row is not in use.
            if not self._is_doubtful(cell, kind) or (cell is None and not words):
                continue
            column = visible(name)
            usual = {"status": "VALUE", "approved": "yes", "draft": "|no"}[kind]
            wanted = "|".join(map(visible, words)) or usual
            says = f'says "{readable(cell)}"' if cell is not None else "is empty here, and not in other rows"
            message = (
                f'the column "{column}" {says}, so the row may not be meant to be sent; choose the rows to send with '
                f"{self._words.where(f'{column}={wanted}')}, or leave the column out to send all rows: "
                f"{self._words.ignore(column)}"
            )
            return Unreadable(message, column, readable(cell))
        return None


def _is_approved(cell: object) -> bool:
    text = cell if isinstance(cell, str) and len(cell) <= _LONGEST_WORDS else _text(cell)
    return truth(cell) is True or spelled(text) in _APPROVED_WORDS


def _text(cell: object) -> str:
    return readable(getattr(cell, "value", cell))
