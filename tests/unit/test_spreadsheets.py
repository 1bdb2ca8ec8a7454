# SPDX-License-Identifier: Apache-2.0
"""CSV files as people save them from spreadsheets, and cells that spreadsheets do not compute."""

from __future__ import annotations

import codecs
import csv
import io
import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lessonspace_provider.exceptions import LessonspaceInputError
from lessonspace_provider.spreadsheets import read_rows, unfinished_line, without_formulas
from tests.spreadsheet import SIGNS, is_formula, split_as_a_spreadsheet

COLUMNS = ("lesson", "start")
TABLE = "lesson,start,teacher\n7b,9:00,Gül\n8a,10:00,ב\n"
CELLS = [("7b", "9:00", "Gül"), ("8a", "10:00", "ב")]


def read(text, columns=("lesson", "start", "teacher"), **more):
    return read_rows(text if isinstance(text, bytes) else text.encode(), "timetable.csv", columns, **more)


def cells(rows):
    assert [row.problem for row in rows] == [None] * len(rows)
    return [tuple(row.cells.values()) for row in rows]


# --- As saved -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "encode",
    [
        lambda text: text.encode(),
        lambda text: text.encode("utf-8-sig"),
        lambda text: codecs.BOM_UTF16_LE + text.encode("utf-16-le"),
        lambda text: codecs.BOM_UTF16_BE + text.encode("utf-16-be"),
        lambda text: text.encode("utf-16-le"),
        lambda text: text.encode("utf-16-be"),
        lambda text: text.encode("utf-32"),
        lambda text: codecs.BOM_UTF32_BE + text.encode("utf-32-be"),
    ],
)
@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
@pytest.mark.parametrize("separator_line", [False, True])
@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_every_encoding_delimiter_and_line_end_gives_the_same_rows(encode, delimiter, separator_line, end):
    text = TABLE.replace(",", delimiter)
    if separator_line:
        text = f"sep={delimiter}\n{text}"
    rows = read(encode(text.replace("\n", end)))
    assert cells(rows) == CELLS
    assert [row.line for row in rows] == ([3, 4] if separator_line else [2, 3])


@pytest.mark.parametrize("line", ["SEP=|", '"sep=|"', "sep=|,,", "sep=| "])
def test_separator_line_names_any_separator_however_it_is_written(line):
    assert cells(read(f"{line}\n{TABLE.replace(',', '|')}")) == CELLS


def test_delimiter_is_the_one_that_makes_the_columns():
    students = "lesson;students\n7b;Ben, Cem, Dana\n"
    assert cells(read(students, ("lesson", "students"))) == [("7b", "Ben, Cem, Dana")]
    assert cells(read("lesson,students\n7b,Ben; Cem; Dana\n", ("lesson", "students"))) == [("7b", "Ben; Cem; Dana")]
    assert cells(read("user_id\n7\n", ("user_id",))) == [("7",)]
    assert cells(read("name;user_id\nByron, Ada;7\n", ("user_id",))) == [("7",)]


@pytest.mark.parametrize("empty", [",,\n", "\n", " , ,\n", '"",\u00a0,\u200b\n', "\t\n", ",,,,,,,\n"])
def test_empty_rows_are_left_out(empty):
    lesson, first, second, _ = TABLE.split("\n")
    rows = read(f"{empty}{lesson}\n{empty}{first}\n{second}\n{empty}{empty * 3}")
    assert cells(rows) == CELLS
    assert [row.line for row in rows] == [4, 5]


def test_quoted_line_breaks_become_blanks_and_lines_stay_those_of_the_file():
    rows = read('lesson,start,teacher\n"7b\r\nmaths",9:00,"Ada\nByron"\n8a,10:00,Cem\n')
    assert cells(rows) == [("7b maths", "9:00", "Ada Byron"), ("8a", "10:00", "Cem")]
    assert [row.line for row in rows] == [2, 5]


def test_invisible_characters_around_a_cell_are_taken_off_and_those_within_stay():
    rows = read("\u200blesson ,\u00a0START,Teacher\u200e\n\ufeff7b\u200b, 9:00\u00a0,می\u200cخواهم\n")
    assert cells(rows) == [("7b", "9:00", "می\u200cخواهم")]


def test_missing_cells_are_empty_and_other_columns_left_out():
    rows = read("note,start,lesson,note,\nx,9:00,7b,y,\nx,9:00\n", COLUMNS, optional=("teacher",))
    assert cells(rows) == [("7b", "9:00", ""), ("", "9:00", "")]


def test_file_without_rows_has_none():
    assert read("lesson,start,teacher\n") == []


# --- Refused --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "text", ["", "\n\n", "sep=;\n", "lesson,start\n7b,9:00\n", "\ufeff", "sep=;\nlesson,start,teacher\n"]
)
def test_missing_columns_are_named_with_the_file(text):
    with pytest.raises(
        LessonspaceInputError, match=r"^timetable.csv lacks the columns .*teacher: its first line has to"
    ):
        read(text)


def test_first_line_without_names_is_not_repeated_since_it_may_hold_people():
    with pytest.raises(LessonspaceInputError) as caught:
        read("7b,9:00,Gül\n")
    assert "Gül" not in str(caught.value)


@pytest.mark.parametrize("again", ["start", "Start", " START ", "\ufeffstart"])
def test_column_that_is_there_twice_is_refused_with_its_places(again):
    message = "^timetable.csv has the column start 2 times, as columns B and AB: rename or remove all but one"
    with pytest.raises(LessonspaceInputError, match=message):
        read(f"lesson,start,teacher{',x' * 24},{again}\n")


def test_optional_column_that_is_there_twice_is_refused_too():
    with pytest.raises(LessonspaceInputError, match="has the column teacher 3 times, as columns C and D and E"):
        read("lesson,start,teacher,teacher,teacher\n", COLUMNS, optional=("teacher",))


@pytest.mark.parametrize("beginning", [b"PK\x03\x04", b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", b"%PDF-1.7"])
def test_workbook_is_refused_with_what_to_save(beginning):
    message = "^timetable.csv is a workbook, and no CSV file. Save it from the spreadsheet as 'CSV UTF-8'"
    with pytest.raises(LessonspaceInputError, match=message):
        read(beginning + bytes(range(256)))


@pytest.mark.parametrize("encoding", ["cp1252", "cp1250", "mac_roman", "latin-1"])
def test_letter_of_another_encoding_is_named_with_its_cell_and_not_guessed(encoding):
    rows = read("lesson,start,teacher\n7b,9:00,Gül\n8a,10:00,Ada\n".encode(encoding))
    assert rows[0].problem == (
        "timetable.csv, line 2, column teacher: a letter can't be read as UTF-8. Save it from the spreadsheet as "
        "'CSV UTF-8'"
    )
    assert rows[1].problem is None


def test_letter_that_another_program_has_lost_is_named():
    (row,) = read("lesson,start,teacher\n7b,9:00,G\ufffdl\n")
    assert "column teacher: a letter can't be read" in row.problem


def test_letters_in_columns_that_are_not_wanted_stop_nothing():
    assert cells(read("lesson,start,Lehrkräfte\n7b,9:00,Gül\n".encode("cp1252"), COLUMNS)) == [("7b", "9:00")]


@pytest.mark.parametrize("data", ["\ufeffa".encode("utf-16-le")[:-1], codecs.BOM_UTF16_LE + b"\x00\xd8", b"a\0b"])
def test_damaged_utf_16_is_refused(data):
    with pytest.raises(
        LessonspaceInputError, match=r"^timetable.csv is damaged: it can't be read as UTF-16-LE. Save it"
    ):
        read(data)


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ('lesson,start,teacher\n7b,9:00,"Gül\n8a,10:00,Cem\n', 2),
        ('lesson,start,teacher\n7b,9:00,Gül\n8a,"10:00" am,Cem\n', 3),
        (f"lesson,start,teacher\n7b,9:00,{'x' * 200_000}\n", 2),
    ],
)
def test_row_whose_end_is_unsure_stops_everything_with_its_line(text, line):
    with pytest.raises(LessonspaceInputError, match=f"^timetable.csv, line {line}: it is unsure where this row ends"):
        read(text)


def test_a_cell_is_too_long_also_where_another_library_lets_csv_read_it():
    usual = csv.field_size_limit(10_000_000)
    try:
        with pytest.raises(LessonspaceInputError, match=r"^timetable\.csv, line 2: it is unsure where this row ends"):
            read(f"lesson,start,teacher\n7b,9:00,{'x' * 200_000}\n")
    finally:
        csv.field_size_limit(usual)


@pytest.mark.parametrize(
    ("header", "row"),
    [
        ("lesson,start,teacher", "7b,9:00,Ito, Ben"),
        ("lesson,teacher,start", "7b,Ito, Ben,"),
        ("lesson,start,teacher,,,", "7b,9:00,Ito, Ben"),
        ("lesson,start,teacher,,,", "7b,9:00,Ben,,,x"),
        ("lesson,start,teacher,,", "7b,9:00,Ben,,,"),
    ],
)
def test_row_with_more_cells_than_columns_is_named(header, row):
    rows = read(f"{header}\n{row}\n8a,10:00,Cem\n")
    assert rows[0].problem.startswith("timetable.csv, line 2: there are more cells than columns")
    assert rows[1].problem is None


def test_control_character_is_named():
    (row,) = read("lesson,start,teacher\n7b,9:00,G\x1b[2Jl\n")
    assert row.problem.startswith("timetable.csv, line 2, column teacher: there is a control character")


def test_error_of_a_row_names_file_line_and_column():
    (row,) = read("lesson,start,teacher\n7b,9.30,Gül\n")
    assert str(row.error("write 9:30", "start")) == "timetable.csv, line 2, column start: write 9:30"
    assert str(row.error("no lesson")) == "timetable.csv, line 2: no lesson"


@settings(max_examples=300, deadline=None)
@given(
    st.one_of(st.binary(max_size=60), st.text(alphabet='lesontar,;\t"\n\r=\ufeff\x00é', max_size=40).map(str.encode))
)
def test_whatever_is_in_a_file_it_is_read_or_refused_with_its_name(data):
    for file in (data, b"lesson,start,teacher\n" + data):
        try:
            rows = read(file)
        except LessonspaceInputError as error:
            problems = [str(error)]
        else:
            problems = [row.problem for row in rows if row.problem]
        assert all(problem.startswith("timetable.csv") and "\n" not in problem for problem in problems)


# --- Written --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "before", ["", " ", "\xa0", "\u200b", "\ufeff", "\u2060", "\u00ad", "\u202e", "\u3164", "\u3000", '"', "'", "\x0b"]
)
@pytest.mark.parametrize("part", ["", "x;", "x\t", "x,", "x\n", "x\r\n", 'x";', "x\u2028"])
def test_formula_gets_an_apostrophe_before_it(part, before):
    for sign in SIGNS:
        cell = f"{part}{before}{sign}cmd|' /C calc'!A0"
        written = without_formulas(cell)
        assert written.replace("'", "") == cell.replace("'", "")
        assert written[len(part) :].lstrip("\x0b").startswith("'")


@pytest.mark.parametrize(
    "cell", ["", "Ada", "2026-W47", "a@b.example", "Smith; Jones", "O'Hara", "5 = 5", "'cause 1+1=2", "נועה לוי", "x-y"]
)
def test_other_cells_stay_as_they_are(cell):
    assert without_formulas(cell) == cell


@settings(max_examples=500, deadline=None)
@given(
    st.lists(st.text(alphabet="a1;,\t\n\r \"'=+-@＝\u200b\ufeff\xa0\u3164", max_size=12), min_size=1, max_size=4),
    st.sampled_from([",", ";", "\t", ",;", ";\t", ",;\t"]),
)
def test_no_way_to_split_a_file_makes_a_formula(row, delimiters):
    file = io.StringIO(newline="")
    csv.writer(file).writerows([["id", *map(without_formulas, row)]] * 2)
    assert not [cell for cell in split_as_a_spreadsheet(file.getvalue(), delimiters) if is_formula(cell)]


def test_long_cells_are_written_in_linear_time():
    assert len(without_formulas(";" * 200_000)) == 200_000
    assert len(without_formulas("\u200b" * 200_000)) == 200_000
    assert len(re.sub("'", "", without_formulas(" =" * 100_000))) == 200_000


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("a,b\n1,2\n", None),
        ("a,b\n1,2", None),
        ("a,b\n1\n", None),
        ("a,b\n1,2\n3", 3),
        ("sep=;\na;b\n1;2\n3", 4),
        ("a,b", None),
        ("", None),
        ('a,b\n1,"2\n2"\n3', 4),
    ],
)
def test_last_row_that_ends_within_it_is_found(text, line):
    assert unfinished_line(text.encode(), "x.csv", ["a", "b"]) == line


def test_last_row_that_ends_within_a_letter_is_found():
    assert unfinished_line("a,b\n1,é".encode()[:-1], "x.csv", ["a", "b"]) == 2
