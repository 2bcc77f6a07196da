"""The results of measurements, and the file that keeps them."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from benchmarks.arithmetic import median

FORMAT = 1
"""Format of the file. A file of another format is refused."""

Setting = Mapping[str, str | int | float]
"""The conditions of a measurement: names and values."""


class UnreadableResultsError(ValueError):
    """The file has no results, or results of another version of the harness."""


@dataclass(frozen=True, slots=True)
class Record:
    """One round of one contestant under one setting.

    Attributes:
        case: a key of ``benchmarks.cases.CASES``.
        subject: the contestant or part that was measured.
        setting: the conditions.
        round: number of the round, from 0.
        figures: the numbers, by the names that ``figures.py`` explains.
        series: curves for the pictures, of the first round only.

    """

    case: str
    subject: str
    setting: Setting
    round: int
    figures: Mapping[str, float]
    series: Mapping[str, list[float]] = field(default_factory=dict[str, list[float]])

    @property
    def key(self) -> str:
        """Case, subject and setting, which all rounds share."""
        return " ".join([self.case, self.subject, *(f"{name}={value}" for name, value in sorted(self.setting.items()))])


@dataclass(frozen=True, slots=True)
class Results:
    """Everything that a run measured.

    Attributes:
        machine: the kind of machine and the versions, see ``machine.py``.
        records: in the order of measuring.

    """

    machine: dict[str, str]
    records: list[Record] = field(default_factory=list[Record])

    def of(self, case: str, subject: str | None = None, **setting: str | float) -> list[Record]:
        """Return the records of a case that have this subject and these values in their setting."""
        return [
            record
            for record in self.records
            if record.case == case
            and subject in (None, record.subject)
            and all(record.setting.get(name) == value for name, value in setting.items())
        ]

    def of_subject(self, subject: str) -> list[Record]:
        """Return the records of a subject, of all cases."""
        return [record for record in self.records if record.subject == subject]

    def subjects(self, case: str) -> list[str]:
        """Return the subjects of a case in the order of measuring."""
        return list(dict.fromkeys(record.subject for record in self.of(case)))

    def settings(self, case: str, name: str) -> list[Any]:
        """Return the values that a part of the setting has in a case, in the order of measuring."""
        return list(dict.fromkeys(record.setting[name] for record in self.of(case) if name in record.setting))

    def save(self, path: Path) -> None:
        """Write the file; it is complete or as before, whenever the writing is interrupted."""
        path.parent.mkdir(parents=True, exist_ok=True)
        lines = ",\n  ".join(json.dumps(asdict(record)) for record in self.records)
        text = f'{{"format": {FORMAT}, "machine": {json.dumps(self.machine)}, "records": [\n  {lines}\n]}}\n'
        unfinished = path.with_suffix(".unfinished")
        unfinished.write_text(text, encoding="utf-8")
        unfinished.replace(path)

    @classmethod
    def load(cls, path: Path) -> Results:
        """Read what ``save()`` wrote.

        Raises:
            UnreadableResultsError: it is no such file.

        """
        try:
            found = json.loads(path.read_text(encoding="utf-8"))
            if found["format"] != FORMAT:
                msg = f"{path} is of format {found['format']}, and this harness reads {FORMAT}"
                raise UnreadableResultsError(msg)
            return cls(dict(found["machine"]), [Record(**record) for record in found["records"]])
        except (OSError, KeyError, TypeError, json.JSONDecodeError) as exc:
            msg = f"{path} holds no results: {exc}"
            raise UnreadableResultsError(msg) from exc


def values_of(records: Iterable[Record], figure: str) -> list[float]:
    """Return a figure of all records that have it."""
    return [record.figures[figure] for record in records if figure in record.figures]


def median_of(records: Iterable[Record], figure: str) -> float:
    """Return the median of a figure; 0 if no record has it."""
    return median(values_of(records, figure))


def largest_of(records: Iterable[Record], figure: str) -> float:
    """Return the largest value of a figure; 0 if no record has it."""
    return max(values_of(records, figure), default=0.0)
