"""What all request and response models share."""

from __future__ import annotations

from typing import Annotated, Any, ClassVar, TypeGuard

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, RootModel
from pydantic_core import PydanticCustomError

Identifier = int | str
"""An id in a response: the documentation shows the same id as an integer and as a string."""


class RequestModel(BaseModel):
    """Base of the request objects: immutable, and strict about names.

    An unknown field is refused, so that a misspelt one is not silently dropped. Schemas are built on first use to keep
    ``import marketingblocks_async`` quick.
    """

    model_config: ClassVar[ConfigDict] = ConfigDict(
        extra="forbid",
        frozen=True,
        validate_by_name=True,
        validate_by_alias=True,
        defer_build=True,
    )

    def wire(self) -> dict[str, Any]:
        """Return the fields as the API names them; ``None`` is left out, since it is never sent."""
        return self.model_dump(mode="json", by_alias=True, exclude_none=True)

    def wire_json(self) -> bytes:
        """Return :meth:`wire` as JSON bytes."""
        return self.model_dump_json(by_alias=True, exclude_none=True).encode()


class ResponseModel(BaseModel):
    """Base of the responses: tolerant. Fields that this package does not know are kept as attributes."""

    model_config: ClassVar[ConfigDict] = ConfigDict(
        extra="allow",
        frozen=True,
        validate_by_name=False,
        validate_by_alias=True,
        defer_build=True,
        protected_namespaces=(),
    )

    @property
    def raw(self) -> Any:
        """The answer's JSON object as it was received, under the API's own names."""
        return self.model_dump(mode="json", by_alias=True, exclude_unset=True)


class UndocumentedResponse(RootModel[Any]):
    """Base of the responses whose shape the documentation does not give: any JSON value is accepted and kept whole.

    What can be recognised in it is offered through properties; ``raw`` is the JSON value itself.
    """

    model_config: ClassVar[ConfigDict] = ConfigDict(frozen=True, defer_build=True)

    @property
    def raw(self) -> Any:
        """The decoded JSON body, whatever it was."""
        return self.root

    @property
    def status(self) -> Any:
        """``status`` of the answer when it is an object that has one, else ``None``."""
        return self._top_level("status")

    @property
    def message(self) -> str | None:
        """``message`` of the answer when it has one, else ``None``."""
        message = self._top_level("message")
        return message if isinstance(message, str) else None

    def _top_level(self, name: str) -> Any:
        return self.root.get(name) if is_object(self.root) else None


def is_object(value: Any) -> TypeGuard[dict[str, Any]]:
    """Tell whether ``value`` is a JSON object."""
    return isinstance(value, dict)


def is_array(value: Any) -> TypeGuard[list[Any]]:
    """Tell whether ``value`` is a JSON array."""
    return isinstance(value, list)


def first_identifier(place: dict[str, Any], *names: str) -> Identifier | None:
    """Return the first of the fields ``names`` that holds an id."""
    for name in names:
        value = place.get(name)
        if isinstance(value, int | str) and not isinstance(value, bool):
            return value
    return None


_NOT_A_NUMBER = "int_not_bool"


def _no_bool(value: Any) -> Any:
    # bool is an int in Python: channel_id=True would become channel 1.
    if isinstance(value, bool):
        raise PydanticCustomError(_NOT_A_NUMBER, "give a whole number, not {value}", {"value": value})
    return value


def _split_names(value: Any) -> Any:
    """Turn ``"a,b"`` into ``["a", "b"]``; leave everything else to the field's own type."""
    if isinstance(value, str):
        return [part.strip() for part in value.split(",") if part.strip()]
    return value


WholeNumber = Annotated[int, BeforeValidator(_no_bool)]
"""An integer of the API: an ``int`` or a string of digits, never a ``bool``."""

PositiveNumber = Annotated[int, BeforeValidator(_no_bool), Field(gt=0)]
"""A whole number above zero."""

NonBlank = Annotated[str, Field(min_length=1, pattern=r"\S")]
"""Text that is more than white space."""

CommaSeparated: BeforeValidator = BeforeValidator(_split_names)
"""Lets a list field take one comma-separated string as well."""
