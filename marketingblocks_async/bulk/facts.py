"""What is known about a source once it was read."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(slots=True)
class SourceFacts:
    """What a file is and how it was understood; filled in while it is read.

    Attributes:
        file: the file as it was given; empty if the rows come from elsewhere.
        kind: ``csv``, ``jsonl``, ``xlsx`` or ``objects``.
        size: bytes read, ``None`` if there is no file.
        sha256: hash (hexadecimal) of the file's bytes, the very bytes that the rows were read from; ``None`` until the
            end was reached.
        encoding: encoding of a text file.
        delimiter: the sign between the columns of a CSV file.
        sheet: name of the worksheet.
        columns: name of a column in the file → field that it holds, ``None`` if it is ignored: by the caller, or since
            its name begins with an underscore. Empty for sources whose rows name their fields themselves.

    """

    file: str = ""
    kind: str = "objects"
    size: int | None = None
    sha256: str | None = None
    encoding: str | None = None
    delimiter: str | None = None
    sheet: str | None = None
    columns: dict[str, str | None] = field(default_factory=dict[str, "str | None"])
