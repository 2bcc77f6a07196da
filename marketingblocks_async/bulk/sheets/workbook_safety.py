"""Whether a workbook is safe to unpack: a ZIP archive of a few KiB can hold terabytes."""

from __future__ import annotations

import zipfile

PARTS_LIMIT = 10_000
"""Parts of a workbook: sheets, images, relations, …."""

UNPACKED_LIMIT = 4 * 2**30
"""Bytes that all parts may have together when unpacked."""

TEXTS_LIMIT = 2**29
"""Bytes that the table of texts may have when unpacked, because openpyxl holds it in memory."""

BOMB_SIZE = 64 * 2**20
BOMB_RATIO = 200
"""A part of more than :data:`BOMB_SIZE` that is packed this many times smaller was made to do harm."""

_ENCRYPTED = 0x1
_PROLOG = 2048


class UnsafeWorkbookError(ValueError):
    """A workbook that is not unpacked; the text says why and what to do."""


def check_archive(archive: zipfile.ZipFile) -> None:
    """Refuse a workbook that is encrypted, unpacks to something enormous, or declares XML entities.

    The sizes are those that the archive declares; :mod:`zipfile` never unpacks more than that.

    Args:
        archive: the workbook.

    Raises:
        UnsafeWorkbookError: it is not to be unpacked.

    """
    parts = archive.infolist()
    if any(part.flag_bits & _ENCRYPTED for part in parts):
        msg = "this workbook is encrypted; save it without a password"
        raise UnsafeWorkbookError(msg)
    enormous = (
        len(parts) > PARTS_LIMIT
        or sum(part.file_size for part in parts) > UNPACKED_LIMIT
        or any(part.file_size > BOMB_SIZE and part.file_size > BOMB_RATIO * part.compress_size for part in parts)
    )
    if enormous:
        msg = "this workbook would unpack to something enormous, so it is not opened; export the sheet as CSV"
        raise UnsafeWorkbookError(msg)
    if any(part.filename.lower().endswith("sharedstrings.xml") and part.file_size > TEXTS_LIMIT for part in parts):
        msg = "this workbook holds more text than is good for the memory; export the sheet as CSV"
        raise UnsafeWorkbookError(msg)
    for part in parts:
        if part.filename.endswith((".xml", ".rels")):
            with archive.open(part) as file:
                prolog = file.read(_PROLOG).replace(b"\0", b"")
            if b"<!DOCTYPE" in prolog or b"<!ENTITY" in prolog:
                msg = "this workbook declares XML entities, which no spreadsheet program does; save it again as .xlsx"
                raise UnsafeWorkbookError(msg)
