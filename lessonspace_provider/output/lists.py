# SPDX-License-Identifier: Apache-2.0
"""Where a list goes: into XCom when it is small enough, or into a file of JSON Lines."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, TypedDict, TypeVar

from lessonspace_provider.api.arguments import refuse
from lessonspace_provider.api.json_list import line_of
from lessonspace_provider.exceptions import LessonspaceInputError
from lessonspace_provider.output.destinations import as_place

if TYPE_CHECKING:
    from airflow.sdk import ObjectStoragePath

Entry = TypeVar("Entry", bound=Mapping[str, object])

#: The longest list, as JSON text in bytes, that goes into XCom. Airflow sets no limit of its own: XCom lies in its
#: database, whole, and is loaded whole by whoever looks at it. This is about 3,000 sessions in their short form.
XCOM_LIMIT = 1_000_000


class WrittenList(TypedDict):
    """Where a list was written: ``path`` is the file, ``count`` how many entries (lines) it has."""

    path: str
    count: int


def as_lines_file(destination: object) -> ObjectStoragePath | None:
    """
    Check where a list is to be written.

    :param destination: a file as ``ObjectStoragePath`` takes it, its name ending in ``.jsonl``; None for XCom.
    :raises LessonspaceInputError: for anything else; a folder is none, since each run needs a file of its own,
        and nor is a relative path, see ``destinations.as_place``.
    """
    if destination is None:
        return None
    example = "s3://aws_default@bucket/sessions/{{ ds }}.jsonl"
    allowed = f"a file whose name ends in .jsonl, with its whole path, such as '{example}'"
    file = as_place(destination, allowed)
    if not str(destination).endswith(".jsonl"):
        raise refuse("destination", destination, allowed)
    return file


def fit_for_xcom(entries: Iterable[Entry]) -> list[Entry]:
    """
    Read a list that is to go into XCom; reading stops where it becomes too large.

    :param entries: anything JSON knows.
    :raises LessonspaceInputError: when it is too large.
    """
    kept: list[Entry] = []
    size = 0
    for entry in entries:
        size += len(json.dumps(entry)) + 2
        if size > XCOM_LIMIT:
            raise LessonspaceInputError(
                f"The list is too large for XCom: over {XCOM_LIMIT} bytes after {len(kept)} entries. Give destination, "
                f"a .jsonl file to write it to, or narrow it with filters or fields."
            )
        kept.append(entry)
    return kept


def write_lines(entries: Iterable[Mapping[str, object]], file: ObjectStoragePath) -> WrittenList:
    """
    Write a list as JSON Lines, UTF-8: the whole list, or no file at all.

    :param entries: anything JSON knows.
    :param file: replaced when it is there.
    :raises LessonspaceDestinationError: when the store refuses; whatever was there before still is.
    """
    from lessonspace_provider.output.files import write_whole

    lines = [line_of(entry) for entry in entries]
    write_whole(file, b"".join(lines))
    return WrittenList(path=str(file), count=len(lines))
