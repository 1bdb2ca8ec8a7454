# SPDX-License-Identifier: Apache-2.0
"""Where a list goes: into XCom when it is small enough, or into a file of JSON Lines."""

from __future__ import annotations

import io
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

#: The longest list, as JSON text in bytes, that goes into XCom. Airflow sets no limit of its own: XCom is in its
#: database, whole, and is loaded whole by anyone who views it. This is about 3,000 sessions in their short form.
XCOM_LIMIT = 1_000_000


#: Bytes of a file of JSON Lines, which is in memory until it is written.
LARGEST_FILE = 256 * 1024 * 1024


class WrittenList(TypedDict):
    """The result of a list with ``destination``: the file's ``path``, and the number of its lines in ``count``."""

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


def fit_for_xcom(
    entries: Iterable[Entry], *, chunk_size: int | None = None, most_mapped: int | None = None
) -> list[Entry] | list[list[Entry]]:
    """
    Read a list that is to go into XCom; reading stops where it becomes too large.

    :param entries: anything JSON knows.
    :param chunk_size: entries of each chunk; None for a list without chunks.
    :param most_mapped: how many entries or chunks Airflow maps tasks over; None if no task is mapped over the list.
    :raises LessonspaceInputError: when it is too large.
    """
    kept: list[Entry] = []
    size = 0
    for entry in entries:
        size += len(json.dumps(entry)) + 2
        if most_mapped is not None and len(kept) >= most_mapped * (chunk_size or 1):
            raise LessonspaceInputError(
                f"The list is too long to map tasks over: over {len(kept)} entries, and Airflow maps over "
                f"{most_mapped} ([core] max_map_length). Give {'a larger ' if chunk_size else ''}chunk_size, "
                f"or use an operator that does many things in one task."
            )
        if size > XCOM_LIMIT:
            raise LessonspaceInputError(
                f"The list is too large for XCom: over {XCOM_LIMIT} bytes after {len(kept)} entries. Give destination, "
                f"a .jsonl file to write it to, or narrow it with filters or fields."
            )
        kept.append(entry)
    if chunk_size is None:
        return kept
    return [kept[start : start + chunk_size] for start in range(0, len(kept), chunk_size)]


def write_lines(entries: Iterable[Mapping[str, object]], file: ObjectStoragePath) -> WrittenList:
    """
    Write a list as JSON Lines, UTF-8: the whole list, or no file at all.

    :param entries: anything JSON knows.
    :param file: replaced when it is there.
    :raises LessonspaceInputError: when it has more than ``LARGEST_FILE`` bytes.
    :raises LessonspaceDestinationError: when the store refuses; whatever was there before still is.
    """
    from lessonspace_provider.output.files import write_whole

    data, count = io.BytesIO(), 0
    for count, entry in enumerate(entries, start=1):
        data.write(line_of(entry))
        if data.tell() > LARGEST_FILE:
            raise LessonspaceInputError(
                f"The list is too large for a file: over {LARGEST_FILE >> 20} MB after {count} entries. Narrow it with "
                f"filters or fields."
            )
    write_whole(file, data.getvalue())
    return WrittenList(path=str(file), count=count)
