"""Base classes and field types of the request and response models."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from enum import Enum
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Self, TypeAlias, TypeGuard, TypeVar, cast

import pydantic
from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    PlainSerializer,
    RootModel,
    ValidationError,
    ValidatorFunctionWrapHandler,
    WrapValidator,
    model_validator,
)
from pydantic_core import ErrorDetails, InitErrorDetails, PydanticCustomError, to_jsonable_python

from marketingblocks_async.errors import InvalidArgumentError

Identifier = int | str
"""An id in a response. The documentation shows the same id as an integer and as a string."""


_PLAIN_WORDS = (
    (r"^(Value error|Assertion failed), |(?<=: )Value error, ", ""),
    (r"Input should be (?=')", "give one of "),
    (r"Input should be a valid integer(, unable to parse string as an integer)?", "give a whole number"),
    (r"Input should be a valid number(, unable to parse string as a number)?", "give a number"),
    (r"Input should be a valid string", "give a text"),
    (r"Input should be a valid list", "give a list"),
    (r"Input should be a valid dictionary( or instance of \w+)?", "give a JSON object"),
    (r"Input should be (?=(greater|less) than )", "give a number "),
    ("Extra inputs are not permitted", "there is no such field"),
    ("Field required", "it is missing"),
)
"""Words of pydantic → those of this package."""


# What only a program can give.
_OF_PROGRAMS = re.compile(", or a datetime with fold=1|, or a YouTubeCategory")


class InvalidRequestError(InvalidArgumentError, ValidationError):
    """The arguments make no valid request. Nothing was sent.

    It is a ``pydantic.ValidationError`` as well: ``errors()`` lists the fields and what is wrong with each.
    """

    def __reduce__(self) -> tuple[Any, ...]:
        # Older releases of pydantic cannot unpickle errors of types that a model made up.
        return _invalid_from, (self.title, self.errors(include_url=False))


def plain_words(text: str) -> str:
    """Return a text of pydantic in words of this package."""
    for words, plain in _PLAIN_WORDS:
        text = re.sub(words, plain, text)
    return text


def without_python(text: str) -> str:
    """Return a text about a request for those who give JSON: without objects of Python, and with dicts as JSON."""
    text = _OF_PROGRAMS.sub("", text)
    return re.sub(r"\{'.*\}", lambda found: found[0].replace("'", '"').replace("…", '"…"'), text)


def problems_of(error: ValidationError) -> list[ErrorDetails]:
    """Return what pydantic refuses: one problem for each field, under its own name and in plain words."""
    found: dict[tuple[int | str, ...], ErrorDetails] = {}
    for each in error.errors(include_url=False):
        place = each["loc"]
        if each["type"] != "extra_forbidden":
            # Without the names of the checks on the way, such as "function-after[check_text(), str]".
            place = tuple(step for step in place if not re.search(r"[\[(]", str(step)))
        # A field that may be of several types has one problem for each of them; the last one stays.
        found[place] = {**each, "loc": place, "msg": plain_words(each["msg"])}
    return list(found.values())


def _invalid(error: ValidationError) -> InvalidRequestError:
    """Return pydantic's refusal as an error of this package."""
    return _invalid_from(error.title, problems_of(error))


def _invalid_from(title: str, errors: Sequence[Mapping[str, Any]]) -> InvalidRequestError:
    details: list[InitErrorDetails] = []
    for each in errors:
        kind = PydanticCustomError(each["type"], each["msg"], each.get("ctx"))
        details.append({"type": kind, "loc": each["loc"], "input": each["input"]})
    return InvalidRequestError.from_exception_data(title, details)


class _BuiltOnFirstUse(BaseModel):
    """Base of all models. Schemas are built on first use, which keeps ``import marketingblocks_async`` quick."""

    model_config: ClassVar[ConfigDict] = ConfigDict(defer_build=True)

    if tuple(map(int, pydantic.VERSION.split(".")[:2])) < (2, 14):

        def __new__(cls, *_args: Any, **_fields: Any) -> Self:
            """Build the schema first: older releases do not do so for objects inside others and unpickled ones."""
            if not cls.__pydantic_complete__:
                cls.model_rebuild(raise_errors=False)
            return super().__new__(cls)


Requirements: TypeAlias = tuple[tuple[str, str, tuple[str, ...]], ...]
"""Field, value of it, and the fields that this value requires."""


class RequestModel(_BuiltOnFirstUse):
    """Base of the request objects: immutable, and strict about names.

    An unknown field is refused, so that a misspelt one is not silently dropped.
    """

    model_config: ClassVar[ConfigDict] = ConfigDict(
        extra="forbid",
        frozen=True,
        validate_by_name=True,
        validate_by_alias=True,
    )
    required_when: ClassVar[Requirements] = ()
    """The documented fields that a value of another field makes required."""

    if not TYPE_CHECKING:
        # Type checkers make it up from the fields.
        def __init__(self, **fields: Any) -> None:
            """Check the fields; raise ``InvalidRequestError`` if they make no request."""
            try:
                super().__init__(**fields)
            except ValidationError as error:
                raise _invalid(error) from None

    @classmethod
    def __pydantic_init_subclass__(cls, **kwargs: Any) -> None:
        """Let validation make objects without the constructor, which only changes the class of its error."""
        super().__pydantic_init_subclass__(**kwargs)
        cls.__pydantic_custom_init__ = False

    @classmethod
    def checked(cls, fields: Any) -> Self:
        """Return the request that a mapping makes, or raise ``InvalidRequestError``."""
        try:
            return cls.model_validate(fields)
        except ValidationError as error:
            raise _invalid(error) from None

    def wire(self) -> dict[str, Any]:
        """Return the fields under the API's names, without those that are ``None``, which is never sent."""
        return self.model_dump(mode="json", by_alias=True, exclude_none=True)

    def wire_json(self) -> bytes:
        """Return the same as JSON bytes."""
        # model_dump_json() makes a str first, which then has to be encoded: a fifth of all the time that this package
        # adds to a call.
        return self.__pydantic_serializer__.to_json(self, by_alias=True, exclude_none=True)


class OpenRequestModel(RequestModel):
    """Base of the requests whose fields are not all documented. Unknown fields are sent as given."""

    model_config: ClassVar[ConfigDict] = ConfigDict(extra="allow")

    @model_validator(mode="after")
    def _check_further_fields(self) -> Self:
        try:
            json.dumps(self.__pydantic_extra__, allow_nan=False, ensure_ascii=False, default=enumeration_value).encode()
            self.wire_json()
        except (ValueError, TypeError, RecursionError) as exc:
            msg = f"an undocumented field has a value that JSON cannot hold: {exc}"
            raise ValueError(msg) from None
        return self


class ResponseModel(_BuiltOnFirstUse):
    """Base of the responses. Fields that this package does not know are kept as attributes."""

    model_config: ClassVar[ConfigDict] = ConfigDict(
        extra="allow",
        frozen=True,
        validate_by_name=False,
        validate_by_alias=True,
        protected_namespaces=(),
    )

    @property
    def raw(self) -> Any:
        """The JSON object as it was received, under the API's own names."""
        return json_values(self, exclude_unset=True)


def json_values(response: BaseModel, *, exclude_unset: bool = False, exclude_none: bool = False) -> Any:
    """Return a response as JSON values, under the API's own names.

    Args:
        response: the response.
        exclude_unset: whether to leave out what the API did not send.
        exclude_none: whether to leave out what is ``null``.

    """
    try:
        return response.model_dump(mode="json", by_alias=True, exclude_unset=exclude_unset, exclude_none=exclude_none)
    except UnicodeEncodeError:
        # A name holds half of a surrogate pair. What a call created must be told all the same.
        values = response.model_dump(by_alias=True, exclude_unset=exclude_unset, exclude_none=exclude_none)
        return to_jsonable_python(_with_encodable_names(values))


def _with_encodable_names(value: Any) -> Any:
    if isinstance(value, Mapping):
        pairs = cast("Mapping[str, Any]", value).items()
        return {name.encode("utf-8", "backslashreplace").decode(): _with_encodable_names(each) for name, each in pairs}
    if isinstance(value, list | tuple):
        return [_with_encodable_names(each) for each in cast("list[Any]", value)]
    return value


class UndocumentedResponse(_BuiltOnFirstUse, RootModel[Any]):
    """Base of the responses whose shape is not documented. Any JSON value is accepted and kept whole in ``raw``.

    Properties look up the fields that can be recognised in it.
    """

    model_config: ClassVar[ConfigDict] = ConfigDict(frozen=True)

    @property
    def raw(self) -> Any:
        """The decoded JSON body."""
        return self.root

    @property
    def status(self) -> Any:
        """``status`` of the response if it is an object that has one, else ``None``."""
        return self._top_level("status")

    @property
    def message(self) -> str | None:
        """``message`` of the response if it has one, else ``None``."""
        message = self._top_level("message")
        return message if isinstance(message, str) else None

    def _top_level(self, name: str) -> Any:
        return self.root.get(name) if is_object(self.root) else None


def enumeration_value(value: object) -> Any:
    """Return the value of a member of an enumeration, for ``json.dumps(default=…)``."""
    if isinstance(value, Enum):
        return value.value
    msg = f"a {type(value).__name__} is not a JSON value"
    raise TypeError(msg)


def is_object(value: Any) -> TypeGuard[dict[str, Any]]:
    """Tell whether ``value`` is a JSON object."""
    return isinstance(value, dict)


def is_array(value: Any) -> TypeGuard[list[Any]]:
    """Tell whether ``value`` is a JSON array."""
    return isinstance(value, list)


def first_identifier(place: dict[str, Any], *names: str) -> Identifier | None:
    """Return the value of the first of the fields ``names`` that holds an id."""
    for name in names:
        value = place.get(name)
        if isinstance(value, int | str) and not isinstance(value, bool) and value != "":
            return value
    return None


_NOT_A_NUMBER = "int_not_bool"


def _no_bool(value: Any) -> Any:
    # bool is an int in Python: channel_id=True would become channel 1.
    if isinstance(value, bool):
        raise PydanticCustomError(_NOT_A_NUMBER, "give a whole number, not {value}", {"value": repr(value)})
    return value


def _split_names(value: Any) -> Any:
    """Turn ``"a,b"`` into ``["a", "b"]``. Other values are left to the field's own type."""
    if isinstance(value, str):
        return [part.strip() for part in value.split(",") if part.strip()]
    return value


def _not_absurd(value: int) -> int:
    # Python itself refuses to write a number of more than 4,300 digits.
    if value.bit_length() > _LONGEST_NUMBER:
        msg = "has hundreds of digits, which no number of the API has"
        raise ValueError(msg)
    return value


_LONGEST_NUMBER = 1024

WholeNumber = Annotated[int, BeforeValidator(_no_bool), AfterValidator(_not_absurd)]
"""An integer of the API: an ``int`` or a string of digits, never a ``bool``."""

PositiveNumber = Annotated[WholeNumber, Field(gt=0)]
"""A whole number above zero."""


def check_text(value: str) -> str:
    """Return ``value`` unless it holds half of a surrogate pair, which UTF-8 cannot write (``ValueError``)."""
    try:
        value.encode()
    except UnicodeEncodeError as exc:
        msg = f"holds half a character at position {exc.start} (an emoji that was cut in two); remove it"
        raise ValueError(msg) from None
    return value


def _not_blank(value: str) -> str:
    if not value.strip():
        msg = "is blank; give a text, or leave the field out if it is optional"
        raise ValueError(msg)
    return value


Text = Annotated[str, AfterValidator(check_text)]
"""Any text that JSON can carry."""

NonBlank = Annotated[Text, AfterValidator(_not_blank)]
"""Text that is more than white space."""

RequestId = Annotated[Annotated[int, AfterValidator(_not_absurd)] | NonBlank, BeforeValidator(_no_bool)]
"""An id in a request: a number or a text."""


def _keep_unexpected(value: Any, handler: ValidatorFunctionWrapHandler) -> Any:
    if isinstance(value, bool):
        return value
    try:
        return handler(value)
    except ValidationError:
        return value


def _as_it_is(value: Any) -> Any:
    return value


T = TypeVar("T")

Tolerant = Annotated[T, WrapValidator(_keep_unexpected), PlainSerializer(_as_it_is)]
"""Keeps a value of an unexpected type as it is, so that one odd field does not make a response unreadable."""

CommaSeparated: BeforeValidator = BeforeValidator(_split_names)
"""Lets a list field also take one comma-separated string."""
