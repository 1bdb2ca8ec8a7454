# SPDX-License-Identifier: Apache-2.0
"""
Why a transcript is missing, as one of a few codes. Pure.

A manifest's reasons are texts that may hold words of the server, and paths with the names of sessions. The health of an
archive has none of these: it is shown to more people.
"""

from __future__ import annotations

import re

from lessonspace_provider.archive.entry import Entry

#: What each code means, for a person.
REASONS = {
    "too_short": "shorter than five minutes, which Lessonspace does not transcribe",
    "one_person": "only one person joined",
    "not_recorded": "the session was not recorded",
    "not_ready": "Lessonspace does not have the transcript yet",
    "empty_so_far": "the transcript is empty so far",
    "empty": "archived, but empty: no one spoke, or it was never created",
    "incomplete": "archived, but not in all formats, and Lessonspace does not have it any more",
    "given_up": "Lessonspace did not have the transcript in time",
    "files_lost": "it was archived, its files are missing or damaged, and Lessonspace does not have it any more",
    "not_attempted": "the run ended before it requested the transcript",
    "destination": "the archive's store refused to write or read",
    "connection": "Lessonspace did not respond",
    "no_uuid": "Lessonspace listed the session without a uuid or an end",
    "unexpected": "an unexpected error: see the manifest",
    "erased": "erased",
    "other": "another reason: see the manifest",
}

_HTTP = re.compile("http_[45][0-9]{2}")
_STATUS = re.compile("failed with ([45][0-9]{2}): ")

_BEGINNINGS = (
    ("too_short", "too short"),
    ("one_person", "one person only"),
    ("not_recorded", "not recorded"),
    ("not_ready", "no transcript yet"),
    ("empty_so_far", "the transcript is empty so far"),
    ("empty", "the transcript is empty: "),
    ("incomplete", "the API does not have the transcript any more"),
    ("files_lost", "archived once, but "),
    ("given_up", "no transcript "),
    ("not_attempted", "the run ended before it tried"),
    ("destination", "The destination "),
    ("no_uuid", "A session has no uuid"),
    ("unexpected", "unexpected "),
)


def reason_code(entry: Entry) -> str | None:
    """
    Classify why a transcript is missing, or not what it should be.

    :return: a key of ``REASONS``, or ``http_`` and a status; None for a transcript that is archived as it should be.
    """
    if entry.status == "erased":
        return "erased"
    if not entry.reason:
        return None if entry.status == "archived" else "other"
    for code, beginning in _BEGINNINGS:
        if entry.reason.startswith(beginning):
            return code
    if found := _STATUS.search(entry.reason):
        return f"http_{found[1]}"
    if "no response" in entry.reason:
        return "connection"
    return "no_uuid" if "has no end_time" in entry.reason else "other"


def is_reason(code: object) -> bool:
    """Whether a value that was read from a file is a code."""
    return isinstance(code, str) and (code in REASONS or _HTTP.fullmatch(code) is not None)


def describe_reason(code: str) -> str:
    """Explain a code to a person."""
    return REASONS.get(code) or f"Lessonspace returned the status {code.removeprefix('http_')}"
