# SPDX-License-Identifier: Apache-2.0
"""The export for research from archives on a disk and on S3, again after an erasure, and of damaged archives."""

from __future__ import annotations

import json
from datetime import timedelta

import pytest

from lessonspace_provider.archive import export_research
from lessonspace_provider.exceptions import LessonspaceInputError
from lessonspace_provider.transcripts.research import ResearchSession, ResearchUtterance
from tests.integration.archive.runs import END, START, run, tree
from tests.integration.doc_blocks import ROOT, blocks_of

MOMENT = START + timedelta(minutes=5)


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


def test_what_was_erased_is_removed_by_the_next_export(control, destination):
    erased, kept = add_session(control, transcript="ready"), add_session(control, transcript="ready")
    run(destination / "archive")
    export(destination)
    (path,) = [path for path in tree(destination / "archive") if path.startswith("manifests/")]
    manifest = json.loads(tree(destination / "archive")[path])
    for entry in manifest["sessions"]:
        if entry["session_id"] == erased:
            entry.update(status="erased", files=[])
    (destination / "archive" / path).write_text(json.dumps(manifest))
    assert export(destination)["removed"] == [erased]
    assert exported(destination).keys() == {kept}


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


@pytest.mark.parametrize("folder", ["relative/folder", "", 7])
def test_a_folder_that_is_none_is_refused(tmp_path, folder):
    with pytest.raises(LessonspaceInputError, match="folder"):
        export_research(f"file://{tmp_path}", folder, START, END)
