# SPDX-License-Identifier: Apache-2.0
"""What the documentation does with an archive."""

from __future__ import annotations

from datetime import timedelta

from airflow.sdk import ObjectStoragePath

from tests.integration.archive.runs import START, manifest_in, run, tree
from tests.integration.doc_blocks import function_in

LESSON = {"start": START, "end": START + timedelta(minutes=45), "transcript": "ready"}


def held(control, *users, **more):
    """Hold a lesson with a transcript: its uuid, and the user id of whoever is named first."""
    session_id = control.add_session(**LESSON, users=users, **more)
    (truth,) = (session for session in control.sessions() if session.session_id == session_id)
    return session_id, truth.user_ids[0]


def names_of(files):
    return {file.name for file in files}


def test_the_files_of_a_person_are_found_in_all_formats_that_were_ever_written(control, destination):
    lesson, ben = held(control, "Ben Student", "Ada Teacher")
    held(control, "Cy Student", "Ada Teacher")
    run(destination, formats=["json", "vtt"])
    run(destination, formats=["json", "txt"])

    files = list(function_in("how-to/delete-personal-data.md", "files_of")(ben, destination))
    manifest = next(path for path in tree(destination) if path.startswith("manifests/"))
    assert names_of(files) == {f"{lesson}.json", f"{lesson}.vtt", f"{lesson}.txt", manifest.removeprefix("manifests/")}


def test_somebody_without_a_role_is_found_by_what_they_said(control, destination):
    lesson, ben = held(control, "Ben Student", "Ada Teacher")
    run(destination, redact_speakers=True)
    manifest = destination / next(path for path in tree(destination) if path.startswith("manifests/"))
    manifest.write_text(manifest.read_text().replace(f'"{ben}": ', '"0": '))
    assert str(ben) not in manifest_in(destination)["sessions"][0]["roles"]

    assert f"{lesson}.json" in names_of(function_in("how-to/delete-personal-data.md", "files_of")(ben, destination))


def test_what_is_deleted_comes_back_only_while_lessonspace_has_it(control, destination):
    lesson, ben = held(control, "Ben Student", "Ada Teacher")
    run(destination)

    def deleted_and_run_again():
        files = list(function_in("how-to/delete-personal-data.md", "files_of")(ben, destination))
        for file in files:
            if file.parent.name != "manifests":
                file.unlink()
        run(destination)
        return [path for path in tree(destination) if lesson in path]

    assert deleted_and_run_again()
    control.set_transcript(lesson, "never")
    assert not deleted_and_run_again()


def test_a_copy_of_an_archive_has_all_of_it_and_takes_up_what_comes_later(control, destination, tmp_path):
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
