# SPDX-License-Identifier: Apache-2.0
"""Turns the cells of a CSV file into the parameters of items: ``user.name`` is the field ``name`` of ``user``. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from types import NoneType
from typing import get_type_hints, is_typeddict

from lessonspace_provider import spreadsheets
from lessonspace_provider.api.filters import refuse_unknown
from lessonspace_provider.api.launch_fields import alternatives
from lessonspace_provider.api.types import LaunchOptions
from lessonspace_provider.bulk.items import Row
from lessonspace_provider.exceptions import LessonspaceInputError

#: Reads a cell that is not empty; what can't be read stays text, and is refused with the item.
Reader = Callable[[str], object]


@dataclass(frozen=True)
class Columns:
    """
    The columns that a CSV file may have.

    :param required: those that it must have.
    :param readers: all that are known by their whole name.
    :param free: beginnings such as ``features.``, which any name may follow.
    """

    required: Sequence[str]
    readers: Mapping[str, Reader]
    free: Mapping[str, Reader] = field(default_factory=dict)


def breaks_off(file: str, line: int) -> LessonspaceInputError:
    """Make the error for a file that breaks off."""
    return LessonspaceInputError(
        f"The file {file} breaks off in line {line}: write it again, or give accept_incomplete_file=True to use the "
        f"lines before. Nothing was sent."
    )


def csv_rows(data: bytes, file: str, columns: Columns, *, accept_incomplete: bool = False) -> list[Row]:
    """
    Read a CSV file. An empty cell is the same as a parameter that is left out.

    :param data: the whole file.
    :param file: its name, for messages.
    :param accept_incomplete: leave out the last row of a file that breaks off in it.
    :raises LessonspaceInputError: when it can't be read to its end, or has a column that is not known.
    """
    given = spreadsheets.column_names(data, file, list(columns.readers))
    named = {name: _known_as(name, columns) for name in given}
    try:
        refuse_unknown([name for name, known in named.items() if known is None], columns.readers, "column")
    except LessonspaceInputError as error:
        raise LessonspaceInputError(f"{file}: {error}") from None
    others = [name for name in given if named[name] not in columns.required]
    rows = spreadsheets.read_rows(data, file, columns.required, optional=others)
    if (unfinished := spreadsheets.unfinished_line(data, file, given)) is not None:
        if not accept_incomplete:
            raise breaks_off(file, unfinished)
        rows = [row for row in rows if row.line != unfinished]
    return [
        Row(
            f"line {row.line}",
            _nested(row.cells, named, columns),
            row.problem and row.problem.removeprefix(f"{file}, "),
        )
        for row in rows
    ]


def _known_as(name: str, columns: Columns) -> str | None:
    """Find a column's own name, however its letters are written; None for an unknown one."""
    for known in columns.readers:
        if known.casefold() == name.casefold():
            return known
    for beginning in columns.free:
        if name.casefold().startswith(beginning.casefold()) and len(name) > len(beginning):
            return beginning + name[len(beginning) :]
    return None


def _nested(cells: Mapping[str, str], named: Mapping[str, str | None], columns: Columns) -> dict[str, object]:
    values: dict[str, object] = {}
    for column, cell in cells.items():
        if cell:
            known = named.get(column) or column
            *groups, name = _steps(known, columns)
            group = values
            for step in groups:
                group = group.setdefault(step, {})  # type: ignore[assignment]  # only this function fills it
            group[name] = _reader(known, columns)(cell)
    return values


def _steps(column: str, columns: Columns) -> list[str]:
    """Split a column's name; what follows a free beginning is one name, dots included."""
    for beginning in columns.free:
        if column.startswith(beginning):
            return [*beginning.rstrip(".").split("."), column[len(beginning) :]]
    return column.split(".")


def _reader(column: str, columns: Columns) -> Reader:
    if column in columns.readers:
        return columns.readers[column]
    return next(reader for beginning, reader in columns.free.items() if column.startswith(beginning))


@cache
def launch_columns() -> Columns:
    """Give the columns of launches, by the types of their fields."""
    readers: dict[str, Reader] = {"launch_id": str, "lesson_start": str, "lesson_end": str, "client_ip": str}
    readers |= {"join_early": _read_number, "join_late": _read_number}
    free: dict[str, Reader] = {"recipient.": str}
    for name, kind in _fields(LaunchOptions, ""):
        if kind in (Mapping[str, object], dict[str, object]):
            free[f"{name}."] = _read_flag
        elif kind == Mapping[str, str]:
            free[f"{name}."] = str
        else:
            readers[name] = _read_flag if kind is bool else str
    return Columns(("launch_id",), readers, free)


def _fields(group: object, beginning: str) -> Iterator[tuple[str, object]]:
    """Give the fields of a TypedDict and of those within it, with their types."""
    for name, hint in get_type_hints(group).items():
        kind = next(kind for kind in alternatives(hint) if kind is not NoneType)
        if is_typeddict(kind):
            yield from _fields(kind, f"{beginning}{name}.")
        else:
            yield f"{beginning}{name}", kind


def _read_flag(cell: str) -> object:
    return {"true": True, "false": False}.get(cell.casefold(), cell)


def _read_number(cell: str) -> object:
    try:
        return float(cell)
    except ValueError:
        return cell


def _read_words(cell: str) -> list[str]:
    """Read several words; ``-`` means none of them, since an empty cell is a value that is left out."""
    return [] if cell == "-" else cell.replace(";", " ").replace(",", " ").split()


#: The columns of updates of sessions.
UPDATE_COLUMNS = Columns(
    ("session_id",),
    {
        **dict.fromkeys(("session_id", "name", "current.name"), str),
        **dict.fromkeys(("recording_access_policy", "current.recording_access_policy"), _read_words),
    },
)
