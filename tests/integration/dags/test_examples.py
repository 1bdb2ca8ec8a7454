# SPDX-License-Identifier: Apache-2.0
"""What holds for every example DAG."""

from __future__ import annotations

import pytest

from tests.integration.conftest import EXAMPLES, load_dag

NAMES = sorted(path.stem for path in EXAMPLES.glob("*.py") if "with DAG(" in path.read_text())


def test_there_are_examples():
    assert {"nightly_transcript_archive", "on_session_end", "class_launch", "backfill_rooms"} <= set(NAMES)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.filterwarnings("error")
def test_an_example_loads_without_a_warning_and_says_what_it_is_for(name):
    dag = load_dag(name)
    assert dag.dag_id == name
    assert dag.doc_md
    assert "lessonspace" in dag.tags
    assert all(task.owner == "data-team" for task in dag.tasks)
