# SPDX-License-Identifier: Apache-2.0
"""Reads the input of a job: a list, or a file of JSON Lines or CSV on any store."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence, Sized
from typing import TYPE_CHECKING

from lessonspace_provider.api.arguments import refuse, refuse_hidden
from lessonspace_provider.api.filters import refuse_unknown
from lessonspace_provider.bulk.cells import Columns, breaks_off, csv_rows
from lessonspace_provider.bulk.items import Row
from lessonspace_provider.exceptions import LessonspaceInputError
from lessonspace_provider.output.destinations import as_place

if TYPE_CHECKING:
    from airflow.sdk import ObjectStoragePath


class HiddenRows:
    """
    Rows that Airflow has rendered. It shows and stores only their number: they hold personal data.

    :param rows: the rendered value.
    """

    def __init__(self, rows: object) -> None:
        self.rows = rows

    def __repr__(self) -> str:
        return f"<{len(self.rows)} rows>" if isinstance(self.rows, Sized) else "<rows>"


def read_rows(parameter: str, given: object, columns: Columns, *, accept_incomplete_file: bool = False) -> list[Row]:
    """
    Read all rows of an input.

    :param parameter: its name, for errors.
    :param given: a list of mappings; or the path of a ``.jsonl`` or ``.csv`` file as ``ObjectStoragePath`` takes it.
    :param columns: those of a CSV file.
    :param accept_incomplete_file: whether what is readable of a file that breaks off is read.
    :raises LessonspaceInputError: when the input is neither, or a file can't be read to its end.
    """
    if (file := file_of(parameter, given)) is not None:
        return _rows_of_file(parameter, file, columns, accept_incomplete_file)
    if isinstance(given, HiddenRows):
        given = given.rows
    if not isinstance(given, Iterable) or isinstance(given, (Mapping, bytes)):
        raise refuse_hidden(parameter, given, "a list of mappings, or the path of a .jsonl or .csv file")
    return [_row_of(f"item {number}", entry) for number, entry in enumerate(given, start=1)]


def file_of(parameter: str, given: object) -> ObjectStoragePath | None:
    """
    Give the file of an input; None for an input that is no file.

    :param parameter: its name, for errors.
    :raises LessonspaceInputError: for a path that can't be used.
    """
    if isinstance(given, HiddenRows):
        given = given.rows
    if not isinstance(given, str) and not hasattr(given, "protocol"):
        return None
    allowed = (
        "a list of mappings, or a .jsonl or .csv file with its whole path, such as "
        "'s3://aws_default@bucket/launches/{{ ds }}.csv'"
    )
    file = as_place(given, allowed, parameter)
    if not file.name.lower().endswith((".jsonl", ".csv")):
        raise refuse(parameter, str(file), allowed)
    return file


def as_defaults(defaults: object, known: Sequence[str]) -> Mapping[str, object]:
    """
    Check what all rows have in common; its values are checked with each row.

    :param known: the fields that it may have.
    :raises LessonspaceInputError: for anything but a mapping of these; None is an empty one.
    """
    if defaults is None:
        return {}
    if not isinstance(defaults, Mapping):
        raise refuse_hidden("defaults", defaults, "a mapping of parameters by their names")
    refuse_unknown(defaults, known, "field of defaults")
    return defaults


def _row_of(place: str, entry: object) -> Row:
    if isinstance(entry, Mapping) and all(isinstance(name, str) for name in entry):
        return Row(place, entry)
    return Row(place, {}, f"it must be a mapping of parameters by their names, and is of type {type(entry).__name__}")


def _rows_of_file(parameter: str, file: ObjectStoragePath, columns: Columns, accept_incomplete: bool) -> list[Row]:
    from lessonspace_provider.output.files import read_whole

    data = read_whole(file)
    if data is None:
        raise LessonspaceInputError(f"{parameter}: there is no file {file}. Nothing was sent.")
    if file.name.lower().endswith(".csv"):
        return csv_rows(data, str(file), columns, accept_incomplete=accept_incomplete)
    return _json_rows(_utf8_text(data, file), file, accept_incomplete)


def _utf8_text(data: bytes, file: ObjectStoragePath) -> str:
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
    raise LessonspaceInputError(
        f"The file {file} can't be read at line {line}: it is not in UTF-8. Save it in UTF-8. Nothing was sent."
    )


def _json_rows(text: str, file: ObjectStoragePath, accept_incomplete: bool) -> list[Row]:
    rows, lines = [], text.split("\n")
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        place = f"line {number}"
        try:
            rows.append(_row_of(place, json.loads(line, object_pairs_hook=_without_repetition)))
        except _RepeatedNameError as error:
            rows.append(Row(place, {}, str(error)))
        except (ValueError, RecursionError) as error:
            if number < len(lines):
                rows.append(Row(place, {}, f"it is no JSON ({_why_no_json(error)})"))
            elif not accept_incomplete:
                raise breaks_off(str(file), number) from None
    return rows


def _why_no_json(error: ValueError | RecursionError) -> str:
    if isinstance(error, RecursionError):
        return "nested too deeply"
    return error.msg if isinstance(error, json.JSONDecodeError) else "a number has too many digits"


class _RepeatedNameError(Exception):
    """A JSON object has a name twice, and JSON itself would take the second value."""


def _without_repetition(pairs: list[tuple[str, object]]) -> dict[str, object]:
    values = dict(pairs)
    if len(values) < len(pairs):
        names = [name for name, _ in pairs]
        repeated = Counter(names).most_common(1)[0][0]
        raise _RepeatedNameError(f"it has {repeated[:50]!r} more than once")
    return values
