# SPDX-License-Identifier: Apache-2.0
"""Names that are spoken, redacted from what the sandbox serves over a socket, on disk and on S3."""

from __future__ import annotations

import json
from datetime import timedelta

from tests.integration.archive.runs import END, run, tree

FORMATS = ["json", "jsonl", "txt", "vtt", "srt", "csv"]
PEOPLE = ["Margaret O'Neill", "Zoë Ångström", "Smith, Oliver", "Małgorzata Ćwik"]
DIMINUTIVES = {"Margaret": ["Maggie", "Meg"], "Oliver": ["Ollie", "Olly"], "Małgorzata": ["Gosia", "Gosiu", "Małgosia"]}
SPOKEN = ["margaret", "neill", "maggie", "zoe", "zoë", "oliver", "ollie", "małgorzata", "gosi"]


def add_lesson(control, **fields):
    start, end = END - timedelta(minutes=50), END - timedelta(minutes=5)
    return control.add_session(start, end, users=PEOPLE, transcript="ready", spoken_names=True, **fields)


def texts_of(files):
    return {name: data.decode().lower() for name, data in files.items() if not name.startswith("manifests")}


def test_no_form_of_a_spoken_name_is_in_a_byte_of_the_archive(control, destination):
    session_id = add_lesson(control)
    run(destination, formats=FORMATS)
    with_names = texts_of(tree(destination))
    assert {name for name in SPOKEN for text in with_names.values() if name in text} == set(SPOKEN)
    redaction = {"redact_speakers": True, "redact_spoken_names": True, "diminutives": DIMINUTIVES}
    result = run(destination, formats=FORMATS, **redaction)
    files = tree(destination)
    assert not [(name, path) for name in SPOKEN for path, text in texts_of(files).items() if name in text]
    (manifest,) = (json.loads(data) for path, data in files.items() if result["manifest"].endswith(path))
    (entry,) = (entry for entry in manifest["sessions"] if entry["session_id"] == session_id)
    (whole,) = (text for path, text in texts_of(files).items() if path.endswith(f"{session_id}.json"))
    assert entry["spoken_names"] == whole.count("[name]") > 10
    assert run(destination, formats=FORMATS)["counts"] == result["counts"]
    assert texts_of(tree(destination)) == texts_of(files)
