# SPDX-License-Identifier: Apache-2.0
"""Files of launches with mistakes, under the operator against the sandbox: what is named, and what is launched."""

from __future__ import annotations

import json
import re

import pytest

from lessonspace_provider.exceptions import LessonspaceError
from tests.integration.bulk.test_launches import account_of, launch

GOOD = '{"launch_id": "good", "user": {"name": "Ann"}}\n'
HEADER = "launch_id,lesson_start,lesson_end,user.name,user.email\n"


def json_line(**fields):
    return json.dumps({"launch_id": "maths", "user": {"name": "Ben"}, **fields}) + "\n"


def row(start="2027-01-11T09:00:00+00:00", email="", name="Ben"):
    return f"maths,{start},2027-01-11T10:00:00+00:00,{name},{email}\n"


@pytest.fixture
def disk(tmp_path, monkeypatch):
    """A function that launches a file of this text."""

    def run(name, content, **parameters):
        path = tmp_path / name
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return launch(str(path), f"file://{tmp_path}/account", **parameters)

    return run


@pytest.mark.parametrize(
    ("name", "content", "line", "reason"),
    [
        ("x.jsonl", GOOD + "{oops\n", 2, "it is no JSON"),
        ("x.jsonl", GOOD + '{"user": {"name": "Ben"}}\n', 2, "launch_id=None was refused"),
        ("x.jsonl", GOOD + GOOD, 2, "this person is in this lesson twice, see line 1"),
        ("x.jsonl", GOOD + json_line(user={"name": "Ben", "email": "ben"}), 2, "user.email was refused"),
        (
            "x.jsonl",
            GOOD + json_line(lesson_start="2027-01-11T09:00:00", lesson_end="2027-01-11T10:00:00"),
            2,
            "lesson_start='2027-01-11T09:00:00' was refused",
        ),
        ("x.csv", HEADER + row(name="Ann") + b"maths,,,B\xe4r,\n".decode("latin-1"), 3, None),
        ("x.csv", HEADER + row(name="Ann") + row(start="2027-01-11 09:00"), 3, "lesson_start='2027-01-11 09:00' was"),
        ("x.csv", HEADER + row(name="Ann") + row(email="ben"), 3, "user.email was refused"),
        ("x.csv", HEADER + row(name="Ann") + row(name="Ann"), 3, "twice, see line 2"),
        ("x.csv", HEADER + row(name="Ann") + "maths,,,Ben, Jr,x@y.example\n", 3, "more cells than columns"),
    ],
)
def test_a_mistake_is_named_with_file_and_line_and_the_others_are_launched(control, disk, name, content, line, reason):
    if reason is None:  # saved in another encoding
        content, reason = content.encode("latin-1"), "a letter can't be read as UTF-8"
    with pytest.raises(LessonspaceError) as caught:
        disk(name, content)
    message = str(caught.value)
    assert re.match(rf"1 of 2 launches in \S+/{re.escape(name)} are not done", message)
    assert f"(line {line}, refused): " in message
    assert reason in message
    assert len(control.launches()) == 1


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("x.jsonl", GOOD + '{"launch_id": "b"', r"x\.jsonl breaks off in line 2"),
        (
            "x.jsonl",
            GOOD.encode() + b'{"launch_id": "\xe4"}\n',
            r"x\.jsonl can't be read at line 2: it is not in UTF-8",
        ),
        ("x.csv", HEADER + row() + "maths,2027-01-11T09:0", r"x\.csv breaks off in line 3"),
        ("x.csv", HEADER + row() + 'maths,,,"Ben', r"x\.csv, line 3: it is unsure where this row ends"),
        ("x.csv", "name,user.name\nmaths,Ann\n", r"x\.csv lacks the columns launch_id"),
        ("x.csv", HEADER.replace("launch_id", "lesson"), r"x\.csv: Unknown column 'lesson'"),
        ("x.csv", b"PK\x03\x04", r"x\.csv is a workbook"),
    ],
)
def test_nothing_is_launched_from_a_file_that_can_not_be_read_to_its_end(control, disk, name, content, message):
    with pytest.raises(LessonspaceError, match=message):
        disk(name, content)
    assert control.launches() == []


@pytest.mark.parametrize(
    ("name", "content"),
    [("x.jsonl", GOOD + '{"launch_id": "b"'), ("x.csv", HEADER + row() + "maths,2027-01-11T09:0")],
)
def test_what_can_be_read_is_launched_if_asked_for(control, disk, name, content):
    assert disk(name, content, accept_incomplete_file=True)["counts"]["done"] == 1
    assert len(control.launches()) == 1


def test_five_thousand_launches_for_a_room_are_named_and_others_launched(control, disk, tmp_path):
    crowd = "".join(json_line(user={"id": str(number)}) for number in range(5000))
    with pytest.raises(
        LessonspaceError, match=r"5000 of 5001 launches in \S+x\.jsonl are not done.*\(line 2, refused\)"
    ):
        disk("x.jsonl", GOOD + crowd)
    assert len(control.launches()) == 1
    assert sum(record["status"] == "refused" for record in account_of(tmp_path / "account")) == 5000
