# SPDX-License-Identifier: Apache-2.0
"""What the guides do with an archive's tables: each statement runs, and all ways give the same figures."""

from __future__ import annotations

import json
import re
from collections import defaultdict
from datetime import timedelta

import pytest

from lessonspace_provider.archive.tables.columns import TABLES
from tests.integration.archive.runs import START, run
from tests.integration.doc_blocks import ROOT, blocks_of, function_in

duckdb = pytest.importorskip("duckdb")

PAGE = ROOT / "docs" / "how-to" / "query-tables.md"
STATEMENTS = [text for language, text in blocks_of(PAGE) if language == "sql"]
#: What Athena calls the types of columns.
TYPES = {"string": "string", "bigint": "bigint", "double": "double"}


@pytest.fixture
def archive(control, tmp_path):
    """An archive with tables on a disk: lessons of two teachers, and a session without a transcript."""
    for number, teacher in enumerate(("Ada Byron", "Ada Byron", "Eve Marsh")):
        end = START + timedelta(minutes=5 + number)
        control.add_session(end - timedelta(minutes=40), end, users=[teacher, "Ben"], transcript="ready")
    control.add_session(START - timedelta(minutes=40), START, users=["Ben"])
    run(tmp_path / "archive", tables=True)
    return tmp_path / "archive"


def shares_of(archive):
    """Compute each teacher's talk share from the transcripts, on a grid of hundredths of a second."""
    talk, of_all = defaultdict(int), defaultdict(int)
    roles, names = {}, {}
    files = [json.loads(data) for path, data in tree_of(archive).items() if path.startswith("manifests/")]
    for entry in (entry for manifest in files for entry in manifest["sessions"] if entry["files"]):
        roles.update(entry["roles"])
        seconds = defaultdict(set)
        for said in json.loads((archive / f"{entry['path']}.json").read_text()):
            names[said["user"]["id"]] = said["user"]["name"]
            seconds[said["user"]["id"]] |= set(range(round(said["start_time"] * 100), round(said["end_time"] * 100)))
        for user, moments in seconds.items():
            if roles[str(user)] == "teacher":
                talk[user] += len(moments)
                of_all[user] += sum(map(len, seconds.values()))
    return {user: (names[user], 100 * talk[user] / of_all[user]) for user in talk}


def tree_of(folder):
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def answer(statement, archive):
    assert "/data/transcripts" in statement
    return duckdb.sql(statement.replace("/data/transcripts", str(archive))).fetchall()


def test_duckdb_pandas_and_polars_give_the_shares_of_the_transcripts(archive):
    expected = shares_of(archive)
    assert len(expected) == 2
    by_name = dict(expected.values())
    found = {name: percent for _, name, percent in answer(STATEMENTS[0], archive)}
    assert found == pytest.approx(by_name, abs=0.06)
    by_user = {user: share for user, (_, share) in expected.items()}
    for name in ("teachers_with_pandas", "teachers_with_polars"):
        pytest.importorskip(name.rpartition("_")[2], reason="it is a way to read the tables that the guide shows")
        assert function_in("how-to/query-tables.md", name)(archive) == pytest.approx(by_user, abs=0.06)


def test_sessions_without_a_transcript_are_counted_by_reason(archive):
    statement = re.sub(r"DATE '[0-9-]+'", f"DATE '{START - timedelta(days=1):%Y-%m-%d}'", STATEMENTS[1])
    assert answer(statement, archive) == [("not_eligible", "one person only: a transcript needs more than one", 1)]


def test_every_statement_of_the_guides_is_run():
    assert len(STATEMENTS) == 2
    others = [
        page.name
        for page in sorted((ROOT / "docs").rglob("*.md"))
        for language, _ in blocks_of(page)
        if language == "sql" and page != PAGE
    ]
    assert others == ["load-tables.md"]  # run by tests/integration/dags/test_load_tables.py


def test_the_columns_of_athenas_statement_are_those_of_the_table():
    (statement,) = (text for language, text in blocks_of(PAGE) if language == "athena")
    columns = re.search(r"lessonspace_people \((.*?)\)", statement, re.DOTALL)[1]
    found = [tuple(column.split()) for column in columns.split(",")]
    assert found == [(column.name, TYPES[column.type]) for column in TABLES["people"]]


@pytest.mark.parametrize("language", ["athena", "bigquery"])
def test_what_cannot_run_here_is_marked(language):
    text = PAGE.read_text()
    section = text[: text.index(f"```{language}")].rpartition("\n## ")[2]
    assert "Not run here" in section


def test_the_run_leaves_the_tables_that_the_guides_read(archive):
    assert {path.split("/")[1] for path in tree_of(archive) if path.startswith("tables/")} == set(TABLES)
