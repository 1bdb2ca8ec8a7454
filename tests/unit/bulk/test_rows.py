# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import json
import sys

import pytest

from lessonspace_provider.bulk.cells import UPDATE_COLUMNS, csv_rows, launch_columns
from lessonspace_provider.bulk.rows import HiddenRows, read_rows
from lessonspace_provider.exceptions import LessonspaceInputError


def read(given, **options):
    return read_rows("launches", given, launch_columns(), **options)


def written(tmp_path, name, content):
    path = tmp_path / name
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return str(path)


def test_a_list_has_a_row_for_each_entry():
    rows = read(iter([{"launch_id": "a"}, 7, {1: 2}]))
    assert [(row.place, row.values) for row in rows] == [("item 1", {"launch_id": "a"}), ("item 2", {}), ("item 3", {})]
    assert "is of type int" in rows[1].problem
    assert rows[2].problem is not None


def test_rendered_rows_are_read_and_show_only_their_number():
    hidden = HiddenRows([{"launch_id": "a", "user": {"name": "Ann"}}])
    assert str(hidden) == repr(hidden) == "<1 rows>"
    assert [row.values["launch_id"] for row in read(hidden)] == ["a"]


def test_a_file_of_json_lines_is_read_with_its_line_numbers(tmp_path):
    lines = ['{"launch_id": "a"}', "", "  ", '{"launch_id": "ä"}']
    rows = read(written(tmp_path, "x.jsonl", "\ufeff" + "\r\n".join(lines) + "\n"))
    assert [(row.place, row.values["launch_id"]) for row in rows] == [("line 1", "a"), ("line 4", "ä")]


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        ("{oops", "it is no JSON (Expecting property name"),
        ("[" * 100_000, "it is no JSON (nested too deeply)"),
        pytest.param(
            f'{{"launch_id": {"9" * 5000}}}',
            "it is no JSON (a number has too many digits)",
            marks=pytest.mark.skipif(not hasattr(sys, "set_int_max_str_digits"), reason="this Python reads it"),
            id="digits",
        ),
        ('"text"', "is of type str"),
        ('{"launch_id": "a", "user": {"name": "x", "name": "y"}}', "it has 'name' more than once"),
    ],
)
def test_a_bad_line_is_a_row_with_a_problem(tmp_path, line, problem):
    first, bad, last = read(written(tmp_path, "x.jsonl", f'{{"launch_id": "a"}}\n{line}\n{{"launch_id": "b"}}\n'))
    assert (first.problem, last.problem, bad.place) == (None, None, "line 2")
    assert problem in bad.problem
    assert "oops" not in bad.problem


def test_a_file_that_breaks_off_is_refused_unless_asked_for(tmp_path):
    path = written(tmp_path, "x.jsonl", '{"launch_id": "a"}\n{"launch_id": "b", "us')
    with pytest.raises(LessonspaceInputError, match=r"x\.jsonl breaks off in line 2.*accept_incomplete_file=True"):
        read(path)
    assert [row.values for row in read(path, accept_incomplete_file=True)] == [{"launch_id": "a"}]


def test_a_csv_file_that_breaks_off_is_refused_unless_asked_for(tmp_path):
    path = written(tmp_path, "x.csv", "launch_id,user.name,user.email\na,Ann,ann@school.example\nb,Ben,ben@sch"[:-9])
    with pytest.raises(LessonspaceInputError, match=r"x\.csv breaks off in line 3.*accept_incomplete_file=True"):
        read(path)
    assert [row.values["launch_id"] for row in read(path, accept_incomplete_file=True)] == ["a"]


def test_a_last_line_without_its_end_is_read_when_it_is_whole(tmp_path):
    assert len(read(written(tmp_path, "x.jsonl", '{"launch_id": "a"}\n{"launch_id": "b"}'))) == 2


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("x.jsonl", b'{"launch_id": "a"}\n{"launch_id": "\xe4"}\n', "at line 2: it is not in UTF-8"),
        ("x.csv", "lanch_id\nx\n", "Unknown column 'lanch_id'. Did you mean 'launch_id'?"),
        ("x.csv", "launch_id,user.nmae\nx,y\n", "Unknown column 'user.nmae'. Did you mean 'user.name'?"),
        ("x.csv", "name\nx\n", "lacks the columns launch_id"),
        ("x.csv", 'launch_id\n"x\n', "line 2: it is unsure where this row ends"),
        ("x.csv", "launch_id,features.\nx,y\n", "Unknown column 'features.'"),
        ("x.txt", "launch_id\n", "a .jsonl or .csv file"),
    ],
)
def test_an_unreadable_file_is_refused_with_its_name(tmp_path, name, content, message):
    with pytest.raises(LessonspaceInputError) as caught:
        read(written(tmp_path, name, content))
    assert message in str(caught.value)
    assert name in str(caught.value)


@pytest.mark.parametrize("given", [None, 7, {}, b"x", {"launch_id": "x"}])
def test_what_is_neither_list_nor_path_is_refused(given):
    with pytest.raises(LessonspaceInputError, match="a list of mappings, or the path of a"):
        read(given)


@pytest.mark.parametrize("given", ["relative.jsonl", "launches", '[{"launch_id": "x"}]', ""])
def test_a_text_that_is_no_whole_path_is_refused(given):
    with pytest.raises(LessonspaceInputError, match="launches"):
        read(given)


def test_a_file_that_is_not_there_is_named(tmp_path):
    with pytest.raises(LessonspaceInputError, match=r"there is no file .*x\.jsonl"):
        read(str(tmp_path / "x.jsonl"))


CSV = """sep=;
Launch_ID;user.Name;user.leader;transcribe;join_early;features.chat.enabled;session_tags.Class;recipient.Phone;User.email
maths;Ann;TRUE;false;600;False;7b;0123;
;;;;;;;;
physics;"Ben; Cy";maybe;;soon;x;;;b@school.example
"""


def test_columns_become_parameters_and_empty_cells_are_left_out(tmp_path):
    first, second = read(written(tmp_path, "x.CSV", CSV.encode("utf-8-sig")))
    assert first.values == {
        "launch_id": "maths",
        "user": {"name": "Ann", "leader": True},
        "transcribe": False,
        "join_early": 600.0,
        "features": {"chat.enabled": False},
        "session_tags": {"Class": "7b"},
        "recipient": {"Phone": "0123"},
    }
    assert (first.place, second.place) == ("line 3", "line 5")
    assert second.values == {
        "launch_id": "physics",
        "user": {"name": "Ben; Cy", "leader": "maybe", "email": "b@school.example"},
        "join_early": "soon",
        "features": {"chat.enabled": "x"},
    }


def test_a_row_that_can_not_be_read_has_its_problem(tmp_path):
    (row,) = read(written(tmp_path, "x.csv", b"launch_id,user.name\nmaths,\xe4\n"))
    assert row.place == "line 2"
    assert "column user.name: a letter can't be read as UTF-8" in row.problem


def test_the_columns_of_updates():
    data = b"session_id,name,recording_access_policy,current.name\na,New,teacher admin,Old\nb,,-,\n"
    first, second = csv_rows(data, "x.csv", UPDATE_COLUMNS)
    assert first.values == {
        "session_id": "a",
        "name": "New",
        "recording_access_policy": ["teacher", "admin"],
        "current": {"name": "Old"},
    }
    assert second.values == {"session_id": "b", "recording_access_policy": []}


def test_every_launch_parameter_has_a_column():
    from lessonspace_provider.api.launch import LAUNCH_PARAMETERS

    columns = launch_columns()
    roots = {name.split(".")[0] for name in (*columns.readers, *columns.free)}
    assert set(LAUNCH_PARAMETERS) - roots == {"extra_options"}
    assert json.dumps(sorted(columns.required)) == '["launch_id"]'
