# SPDX-License-Identifier: Apache-2.0
"""Prints what a command found, as tables or as JSON. What was read is cleaned first."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, redirect_stdout, suppress
from contextvars import ContextVar
from typing import NamedTuple, TextIO

from lessonspace_provider.api.foreign_words import clean_message

#: The width of tables where no terminal shows them.
WIDTH = 200


_results: ContextVar[TextIO | None] = ContextVar("lessonspace_results", default=None)


@contextmanager
def results_apart() -> Iterator[None]:
    """
    Keep standard output for results: whatever else is written there meanwhile goes to standard error.

    Loggers of Airflow write to standard output, and hold its stream already. A caller that has replaced ``sys.stdout``
    gets the results there.
    """
    output = sys.__stdout__
    if output is None or sys.stdout is not output:
        token = _results.set(sys.stdout)
        try:
            with redirect_stdout(sys.stderr):
                yield
        finally:
            _results.reset(token)
        return
    output.flush()
    descriptor = output.fileno()
    own = os.dup(descriptor)
    os.dup2(sys.stderr.fileno(), descriptor)
    stream = os.fdopen(own, "w", encoding=output.encoding, errors="backslashreplace", closefd=False)
    token = _results.set(stream)
    try:
        yield
        stream.flush()
    finally:
        _results.reset(token)
        with suppress(BrokenPipeError):
            stream.close()
        output.flush()
        os.dup2(own, descriptor)
        os.close(own)


def _stream() -> TextIO:
    return _results.get() or sys.stdout


class Table(NamedTuple):
    """
    A table.

    :param title: what its rows are.
    :param columns: their names, which are the fields of JSON.
    :param rows: a value per column.
    """

    title: str
    columns: Sequence[str]
    rows: Sequence[Sequence[object]]


def print_tables(tables: Sequence[Table]) -> None:
    """Print tables that have rows."""
    from rich.console import Console
    from rich.table import Table as RichTable
    from rich.text import Text

    stream = _stream()
    console = Console(file=stream, highlight=False, width=None if stream.isatty() else WIDTH)
    for table in tables:
        if not table.rows:
            continue
        shown = RichTable(title=Text(table.title), title_justify="left")
        for column in table.columns:
            shown.add_column(Text(column), overflow="fold")
        for row in table.rows:
            shown.add_row(*(Text(_cell_text(value)) for value in row))  # Text: a value is no markup
        console.print(shown)


def print_json(value: Mapping[str, object]) -> None:
    """Print one JSON object."""
    _stream().write(json.dumps(_cleaned(value), indent=1, ensure_ascii=False) + "\n")


def print_line(text: object) -> None:
    """Print a line."""
    _stream().write(f"{clean_message(text)}\n")


class StandardError:
    """A log on standard error, so that standard output has the result only."""

    def info(self, message: str, /, *values: object) -> None:
        """Print progress."""
        print_error(message % values)

    def warning(self, message: str, /, *values: object) -> None:
        """Print a warning."""
        print_error(message % values)


def print_error(text: object) -> None:
    """Print a line on standard error."""
    sys.stderr.write(f"{clean_message(text)}\n")


def _cell_text(value: object) -> str:
    return "" if value is None else clean_message(value)


def _cleaned(value: object) -> object:
    if isinstance(value, Mapping):
        return {clean_message(name): _cleaned(entry) for name, entry in value.items()}
    if isinstance(value, (list, tuple)):
        return [_cleaned(entry) for entry in value]
    return clean_message(value) if isinstance(value, str) else value
