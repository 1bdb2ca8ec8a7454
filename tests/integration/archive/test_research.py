# SPDX-License-Identifier: Apache-2.0
"""The export for research from archives on a disk and on S3, again after an erasure, and of damaged archives."""

from __future__ import annotations

import json
from datetime import timedelta
from types import SimpleNamespace

import pytest

from lessonspace_provider.archive import export_research
from lessonspace_provider.exceptions import LessonspaceInputError
from lessonspace_provider.transcripts.research import ResearchSession, ResearchUtterance
from tests.integration.archive.runs import END, START, run, tree
from tests.integration.doc_blocks import ROOT, blocks_of

DAY, MOMENT = timedelta(days=1), START + timedelta(minutes=5)


def add_session(control, **fields):
    return control.add_session(MOMENT - timedelta(minutes=40), MOMENT, users=["Ada Byron", "Ben Frank"], **fields)


def export(destination, folder="research"):
    return export_research(destination / "archive", destination / folder, START, END)


def block_of(page, language):
    (text,) = (text for found, text in blocks_of(ROOT / "docs" / page) if found == language)
    return text


def exported(destination):
    return {path.rpartition("/")[2][:-6]: data for path, data in tree(destination / "research").items()}


def test_each_archived_transcript_is_exported_without_a_call(control, destination):
    spoken = [add_session(control, transcript="ready") for _ in range(3)]
    add_session(control, transcript="never")
    run(destination / "archive", formats=["jsonl", "txt"])
    before = len(control.calls())
    result = export(destination)
    files = exported(destination)
    assert len(control.calls()) == before
    assert files.keys() == set(spoken)
    lines = [json.loads(line) for data in files.values() for line in data.splitlines()]
    assert result["sessions"] == 3
    assert result["utterances"] == sum(line["type"] == "utterance" for line in lines) > 0
    assert result["left_out"] == result["removed"] == []
    assert {line["role"] for line in lines if line["type"] == "utterance"} == {"teacher", "student"}
    written = b"".join(files.values()).decode()
    assert not [name for name in ("Byron", "Frank") if name in written]
    assert export(destination) == result
    assert exported(destination) == files


def change(destination, session_id, **fields):
    """Change a session's entry in the archive's manifest."""
    (path,) = [path for path in tree(destination / "archive") if path.startswith("manifests/")]
    manifest = json.loads(tree(destination / "archive")[path])
    for entry in manifest["sessions"]:
        if entry["session_id"] == session_id:
            entry.update(fields)
    (destination / "archive" / path).write_text(json.dumps(manifest))


def test_what_was_erased_is_removed_by_the_next_export(control, destination):
    erased, kept = add_session(control, transcript="ready"), add_session(control, transcript="ready")
    run(destination / "archive")
    export(destination)
    change(destination, erased, status="erased", files=[])
    assert export(destination)["removed"] == [erased]
    assert exported(destination).keys() == {kept}
    assert export(destination)["removed"] == []


@pytest.mark.parametrize("days", [-1, 1])
def test_a_session_whose_end_moved_to_another_day_has_one_file(control, destination, days):
    moved, kept = add_session(control, transcript="ready"), add_session(control, transcript="ready")
    run(destination / "archive")
    export(destination)
    before, end = tree(destination / "research"), MOMENT + timedelta(days=days)
    change(destination, moved, end_time=end.isoformat())
    assert export(destination)["sessions"] == 1  # of the window in which it is no longer
    assert tree(destination / "research").keys() == before.keys()
    for _ in range(2):
        export_research(destination / "archive", destination / "research", START - DAY, END + DAY)
        assert sorted(tree(destination / "research")) == sorted(
            [f"{end:%Y-%m-%d}/{moved}.jsonl", f"{MOMENT:%Y-%m-%d}/{kept}.jsonl"]
        )


def test_what_was_erased_after_its_end_moved_is_removed_by_the_export_of_any_window(control, destination):
    moved, kept = add_session(control, transcript="ready"), add_session(control, transcript="ready")
    run(destination / "archive")
    export(destination)
    change(destination, moved, end_time=(MOMENT + DAY).isoformat(), status="erased", files=[])
    assert export(destination)["removed"] == [moved]
    assert exported(destination).keys() == {kept}


def test_a_session_that_can_not_be_exported_again_keeps_its_file_of_another_day(control, destination):
    moved = add_session(control, transcript="ready")
    run(destination / "archive", formats=["json"])
    export(destination)
    before = tree(destination / "research")
    change(destination, moved, end_time=(MOMENT + DAY).isoformat())
    (path,) = [path for path in tree(destination / "archive") if path.endswith(f"{moved}.json")]
    (destination / "archive" / path).write_text("[]")
    result = export_research(destination / "archive", destination / "research", START - DAY, END + DAY)
    assert result["left_out"] == [moved]
    assert tree(destination / "research") == before


def test_a_transcript_without_a_whole_file_is_named(control, destination):
    damaged, whole = add_session(control, transcript="ready"), add_session(control, transcript="ready")
    run(destination / "archive", formats=["json"])
    (path,) = [path for path in tree(destination / "archive") if path.endswith(f"{damaged}.json")]
    (destination / "archive" / path).write_text("[]")
    assert export(destination)["left_out"] == [damaged]
    assert exported(destination).keys() == {whole}


def test_the_example_of_the_guide_has_the_lines_that_are_written():
    session, utterance = (json.loads(line) for line in block_of("how-to/research.md", "jsonl").splitlines())
    assert list(session) == list(ResearchSession.__annotations__)
    assert list(utterance) == list(ResearchUtterance.__annotations__)


def test_the_dag_of_the_guide_exports_the_nights_of_its_events(control, destination):
    spoken = add_session(control, transcript="ready")
    night = run(destination / "archive")
    text = block_of("how-to/research.md", "python")
    for name, folder in (("transcripts", "archive"), ("research", "research")):
        text = text.replace(f"s3://aws_default@my-bucket/{name}", str(destination / folder))
    names = {"__name__": "block"}
    exec(compile(text, "block", "exec"), names)  # noqa: S102
    export_task = names["research_export"]().get_task("export").python_callable
    export_task(triggering_asset_events={"archive": [SimpleNamespace(extra=night)]})
    assert exported(destination).keys() == {spoken}


@pytest.mark.parametrize("folder", ["relative/folder", "", 7])
def test_a_folder_that_is_none_is_refused(tmp_path, folder):
    with pytest.raises(LessonspaceInputError, match="folder"):
        export_research(f"file://{tmp_path}", folder, START, END)
