"""Read text files of any encoding line by line, and hash exactly the bytes that were read."""

from __future__ import annotations

import codecs
import contextlib
import hashlib
import io
from collections.abc import Generator, Iterator
from pathlib import Path
from typing import cast

from marketingblocks_async.bulk.errors import SourceError
from marketingblocks_async.bulk.plan import SourceInfo
from marketingblocks_async.bulk.sheets.display import visible
from marketingblocks_async.bulk.sheets.words import Words

from .code_pages import CP1252, is_utf_8, recognise_cp1252
from .likely_encodings import Likely, better_than, likely_encodings

LINE_LIMIT = 64 * 2**20
"""Characters in one line at most, since a line is held in memory; a text file has shorter ones."""

_BUFFER = 2**18
_SAMPLE = 64

_MARKS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF32_LE, "utf-32-le"),
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)
"""Byte order marks; UTF-32 comes first, since its mark begins with that of UTF-16."""

_OTHER_FILES = (
    (b"PK\x03\x04", "this is a workbook (XLSX) or another ZIP archive; name it .xlsx, or unpack it first"),
    (b"\xd0\xcf\x11\xe0", "this is an old or encrypted Excel workbook; save it as 'CSV UTF-8'"),
    (b"{\\rtf", "this is a text with formats (RTF); save it as plain text, or export the sheet as CSV"),
    (b"%PDF", "this is a PDF document; export the sheet as CSV"),
    (b"\x1f\x8b", "this is compressed (gzip); unpack it first"),
)


class HashingFile(io.RawIOBase):
    """A file that is read once from beginning to end and hashes what was read.

    Raises:
        SourceError: it cannot be opened.

    """

    def __init__(self, path: Path, file: str) -> None:
        super().__init__()
        try:
            self._raw = path.open("rb", buffering=0)
        except (OSError, ValueError) as exc:
            raise SourceError(reason(exc), file=file) from exc
        self._hash = hashlib.sha256()
        self.size: int = 0

    def readable(self) -> bool:
        """Return ``True``."""
        return True

    def readinto(self, buffer: bytearray | memoryview) -> int:  # type: ignore[override]  # typeshed says Buffer
        """Read into ``buffer``; return how many bytes."""
        count = self._raw.readinto(buffer) or 0
        self._hash.update(memoryview(buffer)[:count])
        self.size += count
        return count

    def tell(self) -> int:
        """Return how many bytes were read."""
        return self.size

    def close(self) -> None:
        """Close the file."""
        # Python also calls it for an object whose file could not be opened.
        if not self.closed and hasattr(self, "_raw"):
            self._raw.close()
        super().close()

    def hexdigest(self) -> str:
        """Return the SHA-256 of what was read so far."""
        return self._hash.hexdigest()


@contextlib.contextmanager
def open_lines(
    path: Path, info: SourceInfo, encoding: str | None, words: Words, *, may_be_cp1252: bool = False
) -> Generator[Iterator[str]]:
    """Open a text file and give its lines, each with its line end.

    Args:
        path: the file.
        info: receives the encoding, and at the end of the file its size and hash.
        encoding: encoding of the file; ``None`` to detect it from the first bytes (UTF-8 without a mark).
        words: how errors name the options.
        may_be_cp1252: whether a file that is not UTF-8 is read as cp1252 if it is plainly that.

    Raises:
        SourceError: the file cannot be opened, is not a text file, or is not in ``encoding``, or that is unknown.
            While reading: the file cannot be read, is not in this encoding, or has a line longer than
            ``LINE_LIMIT``.

    """
    with io.BufferedReader(HashingFile(path, info.file), _BUFFER) as binary:
        try:
            head = binary.peek(_SAMPLE)[:_SAMPLE]
        except OSError as exc:
            raise SourceError(reason(exc), file=info.file) from exc
        info.encoding = _encoding_of(head, encoding, info.file)
        if may_be_cp1252 and encoding is None and info.encoding == "utf-8" and not head.startswith(codecs.BOM_UTF8):
            _recognise(path, info)
        try:
            text = io.TextIOWrapper(binary, info.encoding, "strict", newline="")
        except (LookupError, ValueError):
            msg = f"{encoding!r} is not the name of a text encoding; use one such as 'utf-8', 'utf-16' or 'cp1252'"
            raise SourceError(msg, file=info.file) from None
        if encoding is not None:
            _check_given(path, info, words)
        with text:
            yield _lines(text, path, info, words)


def _recognise(path: Path, info: SourceInfo) -> None:
    """Find out whether a text is cp1252 instead of UTF-8, and say so."""
    # A pipe can be read only once.
    if not path.is_file():
        return
    try:
        found = None if is_utf_8(path) else recognise_cp1252(path)
    except OSError as exc:
        raise SourceError(reason(exc), file=info.file) from exc
    if found is not None:
        info.encoding = CP1252
        info.notes.append(
            f"the file is not UTF-8 and is read as cp1252, for example `{visible(found.example)}` in line {found.line}"
        )


def _check_given(path: Path, info: SourceInfo, words: Words) -> None:
    """Check that the encoding that was given does not make garbage of a text, which another one reads well.

    Raises:
        SourceError: it does, or the file cannot be read.

    """
    given = codecs.lookup(info.encoding or "").name
    # Other bytes than those of UTF-8 and UTF-16 are hardly ever valid there.
    if given.startswith("utf") or not path.is_file():
        return
    try:
        found = better_than(path, given)
    except OSError as exc:
        raise SourceError(reason(exc), file=info.file) from exc
    if found is not None:
        text, better = found
        msg = (
            f"the text does not seem to be {given.upper()}, which reads `{visible(text)}`; "
            f"{_name_encodings(better, words)}, or save the file as 'CSV UTF-8'"
        )
        raise SourceError(msg, file=info.file)


def _name_encodings(likely: list[Likely], words: Words) -> str:
    """Return which encoding to say, each with what it reads."""
    named = [f"{words.option('encoding', each.encoding)} if `{visible(each.example)}` is right" for each in likely]
    return f"say {' or '.join(named)}"


def _lines(text: io.TextIOWrapper, path: Path, info: SourceInfo, words: Words) -> Iterator[str]:
    readline = text.readline
    raw = cast("HashingFile", cast("io.BufferedReader", text.buffer).raw)
    number = 0
    try:
        line = readline(LINE_LIMIT).lstrip("\ufeff")
        while line:
            number += 1
            if len(line) >= LINE_LIMIT:
                msg = f"this line is longer than {LINE_LIMIT:,} characters; is it a file of posts?"
                raise SourceError(msg, file=info.file, line=number)
            yield line
            line = readline(LINE_LIMIT)
    except UnicodeError as exc:
        raise _undecodable(exc, text, path, info, words) from None
    except OSError as exc:
        raise SourceError(reason(exc), file=info.file, line=number) from exc
    info.size, info.sha256 = raw.size, raw.hexdigest()


def _encoding_of(head: bytes, given: str | None, file: str) -> str:
    for start, message in _OTHER_FILES:
        if head.startswith(start):
            raise SourceError(message, file=file)
    marked = next((encoding for mark, encoding in _MARKS if head.startswith(mark)), None)
    if given is None:
        return marked or _guess_utf_16(head) or "utf-8"
    try:
        name = codecs.lookup(given).name
    except (LookupError, ValueError):
        # The caller reports it, together with codecs that are not for text.
        return given
    if marked is None:
        return given
    family = marked.removesuffix("-le").removesuffix("-be")
    if not name.startswith(family):
        msg = f"the file starts with the mark of {family.upper()}, not {given}; leave the encoding out"
        raise SourceError(msg, file=file)
    return marked


def _guess_utf_16(head: bytes) -> str | None:
    """Recognise UTF-16 without a mark: the names of the header are ASCII, so every other byte is zero."""
    pairs = len(head) // 2
    even, odd = head[: pairs * 2 : 2].count(0), head[1 : pairs * 2 : 2].count(0)
    if pairs and even == 0 and odd * 4 >= pairs * 3:
        return "utf-16-le"
    if pairs and odd == 0 and even * 4 >= pairs * 3:
        return "utf-16-be"
    return None


def _undecodable(exc: UnicodeError, text: io.TextIOWrapper, path: Path, info: SourceInfo, words: Words) -> SourceError:
    encoding = info.encoding or ""
    line, what = None, "this file"
    if isinstance(exc, UnicodeDecodeError):
        offset = cast("io.BufferedReader", text.buffer).tell() - len(exc.object) + exc.start
        line = _line_at(path, offset, encoding)
        what = f"byte 0x{exc.object[exc.start]:02X} (at {offset:,})" if exc.start < len(exc.object) else what
    likely: list[Likely] = []
    if path.is_file():
        with contextlib.suppress(OSError):
            likely = likely_encodings(path, without=encoding)
    if likely:
        msg = f"{what} is not {encoding.upper()}; save the file as 'CSV UTF-8', or {_name_encodings(likely, words)}"
        return SourceError(msg, file=info.file, line=line)
    msg = (
        f"{what} is not {encoding.upper()}; save the file as 'CSV UTF-8', or say its encoding, "
        f"for example {words.option('encoding', 'cp1252')} for a plain CSV of Excel in Western Europe, "
        f"{words.option('encoding', 'cp1250')} in Central Europe, "
        f"{words.option('encoding', 'mac_roman')} for one of Excel on a Mac"
    )
    return SourceError(msg, file=info.file, line=line)


def _line_at(path: Path, offset: int, encoding: str) -> int | None:
    """Return the line of the byte at ``offset``. It reads the file again, since the decoder was ahead of the lines."""
    if not path.is_file():
        return None
    decoder = io.IncrementalNewlineDecoder(codecs.getincrementaldecoder(encoding)("replace"), translate=True)
    line = 1
    with contextlib.suppress(OSError, UnicodeError), path.open("rb") as file:
        while offset > 0 and (chunk := file.read(min(offset, _BUFFER))):
            offset -= len(chunk)
            line += decoder.decode(chunk).count("\n")
        return line
    return None


def reason(exc: OSError | ValueError) -> str:
    """Return why a file cannot be read, in words."""
    match exc:
        case FileNotFoundError():
            return "there is no such file"
        case IsADirectoryError():
            return "this is a folder, not a file"
        case PermissionError():
            return "this file may not be read; check its permissions"
        case OSError(strerror=str() as text):
            return f"this file cannot be read: {text}"
        case _:
            return f"this file cannot be read: {exc}"
