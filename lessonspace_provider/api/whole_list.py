# SPDX-License-Identifier: Apache-2.0
"""Reads all pages of a list whose entries have no ids, so that only the list's count tells whether one is missing."""

from __future__ import annotations

from lessonspace_provider.api.json_list import JsonList, line_of
from lessonspace_provider.api.paging import Query, Source, is_from_start, pages_of
from lessonspace_provider.api.responses import unexpected
from lessonspace_provider.exceptions import LessonspaceReplyTooLargeError

#: Bytes of all pages together.
LARGEST_LIST = 64 * 1024 * 1024


def read_whole_list(source: Source, query: Query, first: object) -> JsonList:
    """
    Read a list: all of its entries, or none.

    :param source: where the pages come from.
    :param query: of the first page.
    :param first: the first page's body.
    :return: the entries, of whatever shape.
    :raises LessonspaceServerError: for pages of another shape or without an end, and when entries are missing.
    :raises LessonspaceReplyTooLargeError: when it is larger than ``LARGEST_LIST``.
    """
    entries: list[bytes] = []
    size, counts, is_past_end = 0, set[int](), False
    for page in pages_of(source, query, first):
        lines = [line_of(item) for item in page.items]
        entries += lines
        size += sum(map(len, lines))
        if size > LARGEST_LIST:
            raise LessonspaceReplyTooLargeError(
                f"{source.call}: the list is larger than {LARGEST_LIST >> 20} MB and was not read to its end. Ask "
                f"Lessonspace about it.",
                method=source.call.method,
                path=source.call.path,
            )
        counts |= set() if page.count is None else {page.count}
        is_past_end = is_past_end or page.is_past_end
    is_short = is_from_start(query) and len(entries) < max(counts, default=0)
    if is_short or is_past_end or len(counts) > 1:
        count = " or ".join(map(str, sorted(counts))) or "nothing"
        raise unexpected(source.call, f"all entries of a list: {len(entries)} came, and count says {count}")
    try:
        return JsonList(b"[" + b",".join(entries) + b"]")
    except ValueError:
        reason = unexpected(source.call, "a list of fewer and smaller entries")
    raise reason
