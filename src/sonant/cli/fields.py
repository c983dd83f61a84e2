"""Flags from dataclasses: each field of an options record is a flag of the command, its help the record's docstring.

So an option is written down once: what Python has, the command line has, with the same name, default and meaning.
"""

from __future__ import annotations

import dataclasses
import functools
import inspect
import re
import types
import typing
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

import typer

__all__ = ["changed_by_flags", "descriptions", "parse"]

Command = Callable[..., None]


def changed_by_flags(
    argument: str,
    record: type,
    *,
    skip: tuple[str, ...] = (),
    only: tuple[str, ...] = (),
    types_of: Mapping[str, Any] | None = None,
    aliases: Mapping[str, tuple[str, ...]] | None = None,
    help_of: Mapping[str, str] | None = None,
) -> Callable[[Command], Command]:
    """Give a command a flag for each field of ``record``.

    Args:
        argument: parameter of the command that takes the changes: a dict of the fields that were given.
        record: a dataclass whose docstring describes its fields under "Attributes" or its own headings.
        skip: fields without a flag.
        only: fields with one; () for all.
        types_of: types of fields where the annotation can't be resolved or has no spelling as text.
        aliases: further flags of a field.
        help_of: help of fields whose description speaks of Python.
    """
    types_of, aliases = types_of or {}, aliases or {}
    names = [f.name for f in dataclasses.fields(record) if f.name not in skip and (not only or f.name in only)]
    hints = _hints(record, types_of)
    about = descriptions(record) | {name: (text, "") for name, text in (help_of or {}).items()}
    defaults = {f.name: _default(f) for f in dataclasses.fields(record)}

    def decorate(command: Command) -> Command:
        signature = inspect.signature(command, eval_str=True)
        kept = [parameter for name, parameter in signature.parameters.items() if name != argument]
        added = [
            _parameter(name, hints[name], about.get(name, ("", "")), defaults[name], aliases.get(name, ()))
            for name in names
        ]

        @functools.wraps(command)
        def run(**values: Any) -> None:
            given = {name: values.pop(name) for name in names}
            changes = {name: _read(name, hints[name], value) for name, value in given.items() if value is not None}
            command(**values, **{argument: changes})

        run.__signature__ = signature.replace(parameters=[*kept, *added])  # type: ignore[attr-defined]
        run.__annotations__ = {p.name: p.annotation for p in (*kept, *added)} | {"return": None}
        return run

    return decorate


def descriptions(record: type) -> dict[str, tuple[str, str]]:
    """Help of each field and the heading it stands under, from the docstring's lines ``name: text``."""
    found: dict[str, tuple[str, str]] = {}
    heading = name = ""
    for line in inspect.cleandoc(record.__doc__ or "").splitlines():
        depth = len(line) - len(line.lstrip())
        entry = re.match(r" {4}(\w+): (.*)", line)
        if title := re.fullmatch(r"([A-Z][\w ()]*):", line):
            heading, name = title[1], ""
        elif entry:
            name = entry[1]
            found[name] = (entry[2], heading)
        elif name and depth > 4:
            found[name] = (f"{found[name][0]} {line.strip()}", heading)
        elif not line.strip() or depth == 0:
            name = ""
    return found


def parse(hint: Any, text: str) -> Any:
    """A flag's text as a value of a type: numbers, names, "a,b" for tuples, "a=1,b=2" for tables, "none".

    Raises:
        ValueError: it has no such value; says what is allowed.
    """
    origin, inner = typing.get_origin(hint), typing.get_args(hint)
    if origin in (typing.Union, types.UnionType):
        return _parse_union(inner, text)
    if origin is Literal:
        if text not in inner:
            raise ValueError(f"one of {', '.join(map(str, inner))}")
        return text
    if origin is tuple:
        return tuple(parse(inner[0], part.strip()) for part in text.split(",") if part.strip())
    if inspect.isclass(origin) and issubclass(origin, Mapping):
        return dict(_pair(part) for part in text.split(",") if part.strip())
    if hint in (int, float):
        try:
            return hint(text)
        except ValueError as error:
            raise ValueError("a whole number" if hint is int else "a number") from error
    if hint in (str, Path):
        return hint(text)
    raise ValueError("nothing: this type has no spelling as text")


def _parse_union(inner: tuple[Any, ...], text: str) -> Any:
    if type(None) in inner and text.lower() == "none":
        return None
    allowed = []
    for hint in inner:
        if hint is not type(None):
            try:
                return parse(hint, text)
            except ValueError as error:
                allowed.append(str(error))
    raise ValueError(" or ".join(dict.fromkeys(allowed)) + (", or none" if type(None) in inner else ""))


def _pair(text: str) -> tuple[str, Any]:
    name, sign, value = text.partition("=")
    if not sign:
        raise ValueError("name=number, with commas between several")
    for kind in (int, float):
        try:
            return name.strip(), kind(value)
        except ValueError:
            continue
    return name.strip(), None if value.strip().lower() == "none" else value.strip()


def _read(name: str, hint: Any, value: Any) -> Any:
    if not isinstance(value, str):
        return value
    try:
        return parse(hint, value)
    except ValueError as error:
        raise typer.BadParameter(f"{value!r}; allowed: {error}", param_hint=f"'{_flag(name)}'") from error


def _parameter(
    name: str, hint: Any, about: tuple[str, str], default: Any, aliases: tuple[str, ...]
) -> inspect.Parameter:
    text = re.sub(r"``([^`]*)``", r"\1", about[0][:1].upper() + about[0][1:])
    shown = "" if default in (None, (), {}) or isinstance(default, bool) else f" [default: {_spelled(default)}]"
    flags = [*aliases, _flag(name)]
    flag_alone = hint in (bool, bool | None)
    if flag_alone:
        flags[-1] += f"/--no-{name.replace('_', '-')}"
        shown = "" if default is None else f" [default: {'yes' if default else 'no'}]"
    option = typer.Option(*flags, help=text + shown, show_default=False, metavar=None if flag_alone else _metavar(hint))
    kind: Any = bool | None if flag_alone else str | None
    return inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=None, annotation=Annotated[kind, option])


def _flag(name: str) -> str:
    return f"--{name.replace('_', '-')}"


def _metavar(hint: Any) -> str:
    """What to write there."""
    origin, inner = typing.get_origin(hint), typing.get_args(hint)
    if origin in (typing.Union, types.UnionType):
        known = [part for part in inner if part is not type(None) and typing.get_origin(part) is not tuple]
        return _metavar(known[0] if known else inner[0])
    if origin is Literal:
        return "|".join(map(str, inner))
    if origin is tuple:
        return f"{_metavar(inner[0])},..."
    if inspect.isclass(origin) and issubclass(origin, Mapping):
        return "NAME=VALUE,..."
    return {int: "N", float: "NUMBER", Path: "FILE"}.get(hint, "TEXT")


def _spelled(value: Any) -> str:
    return ",".join(map(str, value)) if isinstance(value, tuple) else str(value)


def _hints(record: type, types_of: Mapping[str, Any]) -> dict[str, Any]:
    """Types of the fields; names that exist for type checkers alone stand for "no spelling"."""
    names: dict[str, Any] = dict(types_of)
    while True:
        try:
            return typing.get_type_hints(record, localns=names) | dict(types_of)
        except NameError as error:
            names[str(error.name)] = object


def _default(item: dataclasses.Field[Any]) -> Any:
    if item.default is not dataclasses.MISSING:
        return item.default
    return item.default_factory() if item.default_factory is not dataclasses.MISSING else None
