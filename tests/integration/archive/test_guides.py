# SPDX-License-Identifier: Apache-2.0
"""What the documentation does with an archive."""

from __future__ import annotations

from datetime import timedelta

from airflow.sdk import ObjectStoragePath

from tests.integration.archive.runs import START, run, tree
from tests.integration.doc_blocks import ROOT, blocks_of, function_in

LESSON = {"start": START, "end": START + timedelta(minutes=45), "transcript": "ready"}


def held(control, *users, **more):
    """Hold a lesson with a transcript: its uuid, and the user id of whoever is named first."""
    session_id = control.add_session(**LESSON, users=users, **more)
    (truth,) = (session for session in control.sessions() if session.session_id == session_id)
    return session_id, truth.user_ids[0]


def operator_in(page, name):
    """Run the block of a page that makes an operator, and return the operator."""
    (text,) = (text for _, text in blocks_of(ROOT / "docs" / page) if f"\n{name}(" in text)
    names = {}
    exec(compile(text.replace(f"\n{name}(", f"\nmade = {name}("), page, "exec"), names)  # noqa: S102
    return names["made"]


def test_the_guide_erases_a_person(control, destination):
    lesson, ben = held(control, "Ben Okafor", "Ada Teacher")
    run(destination)
    operator = operator_in("how-to/delete-personal-data.md", "LessonspaceEraseOperator")
    operator.destination, operator.user_ids, operator.names = str(destination), [str(ben)], ["Ben Okafor", "Benny"]
    assert operator.execute({})["receipt"] is None
    operator.only_search = False
    result = operator.execute({})
    assert (result["status"], result["not_found"]) == ("done", ["names[1]"])
    run(destination)
    files = tree(destination)
    assert not [path for path, data in files.items() if b"Okafor" in data]
    assert [path for path in files if lesson in path]


def test_the_guide_expires_an_archive(control, destination):
    lesson, _ = held(control, "Ben Okafor", "Ada Teacher")
    run(destination)
    operator = operator_in("how-to/delete-personal-data.md", "LessonspaceExpireArchiveOperator")
    operator.destination = str(destination)
    assert operator.execute({})["status"] == "nothing_found"
    operator.keep = timedelta(seconds=1)
    assert operator.execute({})["counts"]["sessions_erased"] == 1
    assert not [path for path in tree(destination) if lesson in path]


def test_a_copy_of_an_archive_is_complete_and_continues(control, destination, tmp_path):
    copy_archive = function_in("how-to/copy-archive.md", "copy_archive")
    copy = ObjectStoragePath(f"file://{tmp_path}/copy")
    held(control, "Ben Student", "Ada Teacher")
    run(destination)
    copy_archive(destination, copy)
    assert tree(copy) == tree(destination)

    held(control, "Cy Student", "Ada Teacher")
    run(destination)
    copy_archive(destination, copy)
    assert tree(copy) == tree(destination)


def test_what_was_deleted_after_it_was_copied_keeps_nothing_later_from_being_copied(control, destination, tmp_path):
    copy_archive = function_in("how-to/copy-archive.md", "copy_archive")
    copy = ObjectStoragePath(f"file://{tmp_path}/copy")
    lesson, _ = held(control, "Ben Student", "Ada Teacher")
    run(destination)
    copy_archive(destination, copy)
    for path in tree(destination):
        if lesson in path:
            (destination / path).unlink()
    later, _ = held(control, "Cy Student", "Ada Teacher")
    control.set_transcript(lesson, "never")
    run(destination)
    copy_archive(destination, copy)
    assert [path for path in tree(copy) if later in path]


def test_an_archive_is_copied_into_the_other_place_too(control, destination, tmp_path):
    origin = ObjectStoragePath(f"file://{tmp_path}/origin")
    held(control, "Ben Student", "Ada Teacher")
    run(origin)
    destination.fs.invalidate_cache()  # a task is a process of its own, and knows no listing of earlier ones
    function_in("how-to/copy-archive.md", "copy_archive")(origin, destination)
    assert tree(destination) == tree(origin)
