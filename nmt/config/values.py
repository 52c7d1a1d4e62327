"""The types of settings, and the forms in which people may write their values."""

import ast
import codecs
import difflib
import functools
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    GetCoreSchemaHandler,
    WithJsonSchema,
    field_validator,
)
from pydantic_core import core_schema

MOST = 1_000_000_000  # steps, epochs, seconds: more than anybody will wait for
LEAST = 1e-6  # epochs
LONGEST_AMOUNT = 60  # characters of a count, a duration or an interval
PACKAGE = Path(__file__).parent.parent


_MEANT = {"gpu": "cuda", "fp32": "float32"}  # what other programs call it


def closest(name: str, options: tuple[str, ...]) -> str:
    """Return `; did you mean X?`, comparing full keys first and last parts second; "" if nothing is close."""
    if _MEANT.get(name) in options:
        return f"; did you mean {_MEANT[name]}?"
    matches = difflib.get_close_matches(name, options, n=1, cutoff=0.7)
    if not matches:
        last = {option.rpartition(".")[2]: option for option in options}
        matches = [last[m] for m in difflib.get_close_matches(name.rpartition(".")[2], list(last), n=1, cutoff=0.6)]
    return f"; did you mean {matches[0]}?" if matches else ""


@dataclass(frozen=True)
class Registered:
    """Check a name against a registry such as ATTENTIONS, read from its source so that torch is not imported.

    The registry must be a plain dict at the top level of the module, with literal string keys. `others` are names that
    the setting accepts in addition.
    """

    module: str
    table: str
    others: tuple[str, ...] = ()

    def names(self) -> tuple[str, ...]:
        """Return all names that the setting accepts."""
        return _table_names(self.module, self.table) + self.others

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> core_schema.CoreSchema:
        return core_schema.no_info_after_validator_function(self._check, handler(source))

    def __get_pydantic_json_schema__(self, schema: core_schema.CoreSchema, handler: Any) -> dict[str, Any]:
        return {**handler(schema), "enum": list(self.names())}

    def _check(self, name: str) -> str:
        if name not in self.names():
            raise ValueError(f"must be one of {', '.join(self.names())}{closest(name, self.names())}")
        return name


@functools.cache
def _table_names(module: str, table: str) -> tuple[str, ...]:
    for node in ast.parse((PACKAGE / module).read_text(encoding="utf-8")).body:
        targets = node.targets if isinstance(node, ast.Assign) else [getattr(node, "target", None)]
        if any(isinstance(target, ast.Name) and target.id == table for target in targets):
            assert isinstance(node, ast.Assign | ast.AnnAssign) and isinstance(node.value, ast.Dict)
            return tuple(key.value for key in node.value.keys if isinstance(key, ast.Constant))  # type: ignore[misc]
    raise LookupError(f"{module} has no table {table}")


_UNITS = {"": 1, "k": 1_000, "m": 1_000_000}
_SYNONYMS = {"piece": "token", "pieces": "tokens"}  # units of earlier versions
_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86400}


_NUMBER = r"([0-9][0-9_]*\.?[0-9]*)"


def _is_short(value: Any) -> bool:
    """Return whether this is text short enough to parse: matching thousands of digits takes quadratic time."""
    return isinstance(value, str) and len(value) <= LONGEST_AMOUNT


def _whole(value: Any) -> Any:
    """Return `1e5`, which YAML reads as a float, as a whole number."""
    return int(value) if isinstance(value, float) and value.is_integer() else value


def _count(value: Any, unit: str) -> Any:
    """Parse `50k`, `1e5`, or `50k steps` if it counts steps. Raise ValueError for another unit."""
    match = _is_short(value) and re.fullmatch(
        rf"{_NUMBER}\s*([km](?![a-z]))?\s*([a-z]{{2,}}|e)?", value.strip().lower()
    )
    if not match:
        return _whole(value)
    written = "epochs" if match[3] == "e" else _SYNONYMS.get(match[3], match[3])
    if written and not re.fullmatch(f"{written}(e?s)?", unit, re.I):  # `1 step` counts steps as well
        raise ValueError(f"must be {f'in {unit}' if unit else 'a number without a unit'}, not in {written}")
    number = float(match[1]) * _UNITS[match[2] or ""]
    return int(number) if number.is_integer() else value


def _duration(value: Any) -> Any:
    """Parse `90s`, `20m`, `1h30m`, or a number of seconds, to seconds."""
    if not isinstance(value, str):
        return value
    parts = re.findall(rf"{_NUMBER}\s*([smhd])", value.lower()) if _is_short(value) else []
    if not parts or re.sub(rf"{_NUMBER}\s*[smhd]\s*", "", value.lower().strip()):
        raise ValueError("must be a duration such as 90s, 20m or 1h30m")
    return sum(float(number) * _SECONDS[unit] for number, unit in parts)


def _interval(value: Any) -> Any:
    """Parse `500`, `2k steps`, `1e`, `0.5 epochs` to the canonical text `500` or `0.5e`."""
    value = _whole(value)
    if isinstance(value, int) and not isinstance(value, bool):
        value = str(value)
    match = _is_short(value) and re.fullmatch(
        rf"{_NUMBER}\s*(?:([km]?)(?:\s*steps?)?|(e|epochs?))", value.strip(), re.I
    )
    if not match:
        raise ValueError("must be a number of steps such as 500 or 2k, or of epochs such as 1e or 0.5e")
    number = float(match[1]) * _UNITS[(match[2] or "").lower()]
    if number <= 0 or (not match[3] and not number.is_integer()):
        raise ValueError("must be more than 0, and whole if it counts steps")
    if not LEAST <= number <= MOST:
        raise ValueError(f"must be {LEAST:f} or more and {MOST:,} or less")
    if not match[3]:
        return str(int(number))
    text = f"{number:g}"
    return f"{text if 'e' not in text else f'{number:.6f}'.rstrip('0').rstrip('.')}e"


# What Python calls an encoding of text, but no text is in: names of hosts, escapes, halves of surrogate pairs.
_NOT_OF_TEXT = {"punycode", "idna", "undefined", "unicode-escape", "raw-unicode-escape", "utf-7"}


def is_text_encoding(name: str) -> bool:
    """Return whether Python can read and write any text in an encoding of this name."""
    try:
        found = codecs.lookup(name)
    except (LookupError, ValueError):
        return False
    return found._is_text_encoding and found.name not in _NOT_OF_TEXT


def _encoding(value: str) -> str:
    """Return the name of an encoding. Raises ValueError if Python knows none of this name."""
    if value != "auto" and not is_text_encoding(value):
        raise ValueError("must be auto, or an encoding such as windows-1252, shift_jis or gb18030")
    return value


def many(value: Any) -> Any:
    """Return a single text or mapping as a list of one."""
    return [value] if isinstance(value, str | dict) else value


def _columns(value: Any) -> Any:
    """Return column numbers and names as a list of texts."""
    items = [value] if isinstance(value, str | int) else value
    return [str(item) if type(item) is int else item for item in items] if isinstance(items, list) else items


def _amount(value: Any) -> Any:
    """Parse `500` or `2k` as pairs, `0.05` or `5%` as a fraction."""
    if _is_short(value) and (match := re.fullmatch(rf"{_NUMBER}\s*%", value.strip())):
        return float(match[1]) / 100
    found = _count(value, "pairs")
    if isinstance(found, float) and found >= 1:
        raise ValueError("must be a whole number of pairs, or a share below 1")
    return found


def written_as(json_type: list[str], name: str) -> WithJsonSchema:
    """Describe what users may write in the file, which is wider than the parsed type; `name` is for the reference."""
    items = ["string", "object"] if "object" in json_type else "string"
    return WithJsonSchema({"type": json_type, "items": {"type": items}, "written": name})


Count = Annotated[int, written_as(["integer", "string"], "count")]  # read by `Section`, which knows its unit
CountOrAuto = Annotated[
    int,
    BeforeValidator(lambda value: 0 if value == "auto" else value),
    written_as(["integer", "string"], "count or auto"),
]
Duration = Annotated[float, BeforeValidator(_duration), written_as(["number", "string"], "duration")]
Interval = Annotated[str, BeforeValidator(_interval), written_as(["integer", "string"], "interval")]
Columns = Annotated[list[str], BeforeValidator(_columns), written_as(["array", "integer", "string"], "one or more")]
Names = Annotated[list[str], BeforeValidator(many), written_as(["array", "string"], "one or more")]
Amount = Annotated[
    int | float,
    BeforeValidator(_amount),
    Field(ge=0, le=100_000_000),
    written_as(["integer", "number", "string"], "amount"),
]
Encoding = Annotated[str, AfterValidator(_encoding)]
Share = Annotated[float, Field(ge=0, lt=1)]


def setting(
    default: Any,
    meaning: str,
    unit: str = "",
    resume: bool = False,
    needs: dict[str, Any] | None = None,
    needs_set: tuple[str, ...] = (),
    **limits: Any,
) -> Any:
    """Declare one setting. `resume` marks those that may change when a run is resumed; default `...` means required.

    `needs` is what it needs to have an effect: {full key: value, or a tuple of values of which one}. Where that is not
    so, giving it is an error, and runs leave it out of their config. `needs_set` names full keys, of which one must
    differ from its default before this one may: runs record the default anyway.
    """
    extra: dict[str, Any] = {"unit": unit, "resume": resume}
    if needs:
        extra["needs"] = {key: values if isinstance(values, tuple) else (values,) for key, values in needs.items()}
    if needs_set:
        extra["needs_set"] = needs_set
    if default is not ...:
        limits["default"] = default
    return Field(description=meaning, json_schema_extra=extra, **limits)


class Section(BaseModel):
    """Base of all sections: frozen, strict, no unknown keys."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True, allow_inf_nan=False, defer_build=True)

    @field_validator("*", mode="before")
    @classmethod
    def _read_count(cls, value: Any, info: Any) -> Any:
        """Parse a count with the unit of its own setting, which is only known here."""
        field: Any = cls.model_fields[info.field_name]
        return _count(value, field.json_schema_extra["unit"]) if field.annotation is int else value
