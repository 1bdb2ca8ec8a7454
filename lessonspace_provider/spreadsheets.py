# SPDX-License-Identifier: Apache-2.0
"""CSV files as spreadsheet programs write and read them. Pure: bytes in, rows out, and cells that are no formulas."""

from __future__ import annotations

import codecs
import csv
import io
import re
import unicodedata
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from lessonspace_provider.exceptions import LessonspaceInputError

#: What may be between the cells of a row, unless the file's first line is ``sep=`` and another character.
DELIMITERS = (",", ";", "\t")

#: What to do about a file that can't be read as it was saved.
SAVE_AGAIN = "Save it from the spreadsheet as 'CSV UTF-8'"

#: Characters of a cell. A stray quotation mark makes longer ones; csv's own limit is the whole process's, and others
#: raise it.
LONGEST_CELL = 131_072

_BREAKS = "\t\n\r\x0b\x0c\x85\u2028\u2029"
_SEPARATORS = f";,{_BREAKS}"
# Letters to Python, and blank on screen.
_BLANK_LETTERS = "\u115f\u1160\u3164\uffa0"
# Where a spreadsheet may see a formula begin: at a cell's start, and at what another separator would make one. Some
# read full-width signs as the plain ones, and leave out blanks, marks and invisible characters before them.
_FORMULA = re.compile(
    rf"^(?='*[{_BREAKS}])|(?:^|(?<=[{_SEPARATORS}]))(?=(?:[^\w{_SEPARATORS}]|[{_BLANK_LETTERS}])*[=+\-@＝＋－＠﹦﹢﹣﹫])"
)

_BYTE_ORDER_MARKS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF32_LE, "utf-32-le"),  # begins as the one of UTF-16
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)
# The first bytes of what is no text: .xlsx and .ods, .xls, PDF.
_WORKBOOKS = (b"PK\x03\x04", b"\xd0\xcf\x11\xe0", b"%PDF")
_SEPARATOR_LINE = re.compile(r'"?sep=([^\w"\r\n])"?[,;\t ]*(?:\r\n|\n|\r|$)', re.IGNORECASE)
_LOST = re.compile("[\udc80-\udcff\ufffd]")
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f]")


@dataclass(frozen=True)
class Row:
    """
    A row of a CSV file.

    :param file: the file's name.
    :param line: the line on which the row begins, from 1.
    :param cells: text by column, without blanks around it, and with one blank for line breaks and runs of blanks. Empty
        if the row has no such cell.
    :param problem: why the row can't be read, with file, line, column and what to do; None if it can.
    """

    file: str
    line: int
    cells: Mapping[str, str]
    problem: str | None

    def __getitem__(self, column: str) -> str:
        """Return a cell's text."""
        return self.cells[column]

    def error(self, reason: str, column: str | None = None) -> LessonspaceInputError:
        """
        Create the error for a row that can't be used.

        :param reason: what is wrong and what to write instead.
        :param column: of the wrong cell, if it is one cell.
        """
        return LessonspaceInputError(_at(self.file, self.line, column, reason))


def read_rows(data: bytes, file: str, columns: Sequence[str], *, optional: Sequence[str] = ()) -> list[Row]:
    """
    Read the rows of a CSV file in UTF-8 or UTF-16.

    Cells are separated by commas, semicolons or tabs, or as the first line (``sep=``) defines.
    Names of columns match in upper and lower case. Other columns and empty rows are left out.

    :param data: the whole file.
    :param file: its name, for messages.
    :param columns: required columns.
    :param optional: optional columns; their cells are empty if the file does not have them.
    :return: the rows in their order, also those with a ``problem``.
    :raises LessonspaceInputError: if the file is not such a file, if a column is missing or occurs twice, or if a
        quotation mark makes it uncertain where a row ends.
    """
    wanted = [*columns, *optional]
    header, records = _content(data, file, wanted)
    names = [_column_key(cell) for cell in header]
    places = {column: _place(file, names, column) for column in wanted}
    if missing := [column for column in columns if places[column] is None]:
        raise LessonspaceInputError(
            f"{file} lacks the columns {', '.join(missing)}: its first line has to name them, with commas, semicolons "
            f"or tabs between them."
        )
    return [_to_row(file, line, record, names, places) for line, record in records]


def column_names(data: bytes, file: str, expected: Sequence[str]) -> list[str]:
    """
    Read how a CSV file names its columns, for a caller that takes no other than it knows.

    :param data: the whole file.
    :param file: its name, for messages.
    :param expected: names of which some are likely there: they show what is between the cells.
    :return: the names without blanks around them; none for an empty file.
    :raises LessonspaceInputError: when it is no such file.
    """
    header, _ = _content(data, file, expected)
    return [_tidy(cell) for cell in header if _tidy(cell)]


def unfinished_line(data: bytes, file: str, expected: Sequence[str]) -> int | None:
    """
    Find the last row of a file that ends within it, as one does whose writing was interrupted.

    :param data: the whole file.
    :param file: its name, for messages.
    :param expected: see ``column_names``.
    :return: the line on which it begins; None for a file that ends with a line break or a row of all columns.
    """
    header, records = _content(data, file, expected)
    line, last = max(records, default=(0, header))
    is_whole = len(last) >= len(header) and not _LOST.search(last[-1] if last else "")
    return None if is_whole or _file_text(data, file).endswith(("\n", "\r")) else line


def without_formulas(cell: str) -> str:
    """
    Write an apostrophe before whatever in a cell a spreadsheet could take for a formula.

    A spreadsheet would compute it, and may send what it finds elsewhere; anybody can join a class as
    ``=HYPERLINK(...)``. The cell stays harmless when the file is split at semicolons or tabs.

    :param cell: text of others.
    """
    return _FORMULA.sub("'", cell)


def _content(data: bytes, file: str, wanted: Sequence[str]) -> tuple[list[str], Iterator[tuple[int, list[str]]]]:
    """Give the first record, and the others with the line on which each begins."""
    text = _file_text(data, file)
    first_line, delimiter = 1, None
    if match := _SEPARATOR_LINE.match(text):
        text, first_line, delimiter = text[match.end() :], 2, match[1]
    records = _records(text, file, first_line, delimiter or _delimiter(text, wanted))
    _, header = next(records, (0, []))
    return header, records


def _file_text(data: bytes, file: str) -> str:
    if data.startswith(_WORKBOOKS):
        raise LessonspaceInputError(f"{file} is a workbook, and no CSV file. {SAVE_AGAIN}.")
    mark, encoding = next(((mark, name) for mark, name in _BYTE_ORDER_MARKS if data.startswith(mark)), (b"", "utf-8"))
    if not mark and b"\0" in data[:2]:  # the first column's name begins with a plain letter
        encoding = "utf-16-be" if data.startswith(b"\0") else "utf-16-le"
    try:
        # What is not UTF-8 is named with its cell; guessing would write another name.
        return data[len(mark) :].decode(encoding, "surrogateescape" if encoding == "utf-8" else "strict")
    except UnicodeDecodeError:
        raise LessonspaceInputError(
            f"{file} is damaged: it can't be read as {encoding.upper()}. {SAVE_AGAIN}."
        ) from None


def _delimiter(text: str, wanted: Sequence[str]) -> str:
    """Choose the delimiter that makes most of the wanted columns of the first line; a comma where none does."""

    def found(delimiter: str) -> int:
        try:
            _, header = next(_records(text, "", 1, delimiter), (0, []))
        except LessonspaceInputError:
            return 0
        return len({_column_key(cell) for cell in header} & {_column_key(column) for column in wanted})

    return max(DELIMITERS, key=found)


def _records(text: str, file: str, first_line: int, delimiter: str) -> Iterator[tuple[int, list[str]]]:
    """Yield the line on which each record begins, and its cells; those without any text are left out."""
    # Strict, or a stray quotation mark would join the beginning of a row with the end of another one.
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    while True:
        line = first_line + reader.line_num
        try:
            cells = next(reader, None)
        except csv.Error as error:
            raise _unsure(file, line, error) from None
        if cells is None:
            return
        if any(len(cell) > LONGEST_CELL for cell in cells):
            raise _unsure(file, line, "a cell is too long")
        if any(_tidy(cell) for cell in cells):
            yield line, cells


def _unsure(file: str, line: int, reason: object) -> LessonspaceInputError:
    return LessonspaceInputError(
        f"{file}, line {line}: it is unsure where this row ends ({reason}). Check for a stray quotation mark: "
        f'one within a cell is written twice, as "".'
    )


def _place(file: str, names: Sequence[str], column: str) -> int | None:
    places = [place for place, name in enumerate(names) if name == _column_key(column)]
    if len(places) > 1:
        letters = " and ".join(_letters(place) for place in places)
        raise LessonspaceInputError(
            f"{file} has the column {column} {len(places)} times, as columns {letters}: rename or remove all but one."
        )
    return places[0] if places else None


def _to_row(file: str, line: int, record: Sequence[str], names: Sequence[str], places: Mapping[str, int | None]) -> Row:
    cells = {
        column: _tidy(record[place]) if place is not None and place < len(record) else ""
        for column, place in places.items()
    }
    # An empty cell too many is one that an unquoted separator has pushed out.
    if len(record) > len(names) or any(_tidy(cell) for cell, name in zip(record, names) if not name):
        reason = "there are more cells than columns: a cell that holds a separator needs quotation marks around it"
        return Row(file, line, cells, _at(file, line, None, reason))
    for column, cell in cells.items():
        if _LOST.search(cell):
            return Row(file, line, cells, _at(file, line, column, f"a letter can't be read as UTF-8. {SAVE_AGAIN}"))
        if _CONTROL.search(cell):
            return Row(file, line, cells, _at(file, line, column, "there is a control character: write the cell again"))
    return Row(file, line, cells, None)


def _at(file: str, line: int, column: str | None, reason: str) -> str:
    return f"{file}, line {line}{f', column {column}' if column else ''}: {reason}"


def _tidy(cell: str) -> str:
    """Make runs of blanks and line breaks one blank, and take blank and invisible characters from both ends."""
    text = " ".join(cell.split())
    begin, end = 0, len(text)
    while begin < end and _is_invisible(text[begin]):
        begin += 1
    while begin < end and _is_invisible(text[end - 1]):
        end -= 1
    return text[begin:end]


def _is_invisible(character: str) -> bool:
    return character == " " or character in _BLANK_LETTERS or unicodedata.category(character) == "Cf"


def _column_key(cell: str) -> str:
    return _tidy(cell).casefold()


def _letters(place: int) -> str:
    """Name a column as spreadsheets do: A, B, ..., Z, AA."""
    letters = ""
    place += 1
    while place:
        place, rest = divmod(place - 1, 26)
        letters = chr(ord("A") + rest) + letters
    return letters
