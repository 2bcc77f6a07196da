"""Read JSON strictly: no repeated names, no NaN, and no crash however deep it is."""

from __future__ import annotations

import json
from typing import Any, NoReturn


class JsonError(ValueError):
    """Text that is not JSON, or JSON with two meanings."""


def load_json(text: str, *, extra: str = "it must be one value, with nothing behind it") -> Any:
    """Return the value of a JSON text.

    Args:
        text: the text.
        extra: what to change if there is more behind the value.

    Raises:
        JsonError: it is not JSON, names a field twice, holds NaN or Infinity, is nested too deeply, or has a number of
            thousands of digits.

    """
    try:
        return _DECODER.decode(text)
    except JsonError:
        raise
    except json.JSONDecodeError as exc:
        place = f"character {exc.pos + 1}" if exc.lineno == 1 else f"its line {exc.lineno}, character {exc.colno}"
        hint = "; straight quotes are needed, not typographic ones" if "“" in text or "”" in text else ""
        if exc.msg == "Extra data":
            hint = "; delete the comma at its end" if text[exc.pos :].strip() == "," else f"; {extra}"
        msg = f"this is not JSON: {exc.msg} at {place}{hint}"
        raise JsonError(msg) from None
    except RecursionError:
        msg = "this JSON is nested too deeply to be a post"
        raise JsonError(msg) from None
    except ValueError:
        msg = "this JSON has a number of thousands of digits"
        raise JsonError(msg) from None


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        names = [name for name, _ in pairs]
        repeated = next(name for name in names if names.count(name) > 1)
        msg = f"{json.dumps(repeated[:80])} is there twice in one JSON object; keep one of them"
        raise JsonError(msg)
    return found


def _no_constant(name: str) -> NoReturn:
    msg = f"{name} is not JSON; write a number, or null for nothing"
    raise JsonError(msg)


_DECODER = json.JSONDecoder(object_pairs_hook=_object, parse_constant=_no_constant)
