# SPDX-License-Identifier: Apache-2.0
"""
Reads a list of the API page by page, and notices what a page alone does not show.

A list may change while it is read: when an entry of a page that was read is removed, the first of the next page moves
onto it and is skipped. ``count`` shows it: a list is read again where it fell, or where fewer entries came.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Generic, NamedTuple, TypeVar, cast

from lessonspace_provider.api.errors import Call, unexpected
from lessonspace_provider.api.foreign_words import first_of
from lessonspace_provider.api.ids import named, session_key, space_key, user_key
from lessonspace_provider.api.json_list import JsonList, line_of
from lessonspace_provider.api.log import Log
from lessonspace_provider.api.plain_json import MOST_VALUES, values_in
from lessonspace_provider.api.replaced_errors import ErrorsReplaced
from lessonspace_provider.api.shapes import odd_session_fields, odd_texts
from lessonspace_provider.exceptions import LessonspaceNotFoundError, LessonspaceReplyTooLargeError

Item = TypeVar("Item")
Query = Sequence[tuple[str, str]]

#: How the API's 404 calls a page that is not there; any other 404 amid a list is an error.
PAGE_PAST_THE_END = "Invalid page"

#: How often a list is read at most that keeps changing meanwhile.
MOST_READINGS = 3

#: What no list exceeds: pages, pages more than ``count`` has entries, pages in a row without a new entry, entries.
MOST_PAGES, PAGES_BEYOND_COUNT, PAGES_WITHOUT_NEW_ENTRIES, MOST_ITEMS = 10_000, 100, 10, 1_000_000

#: Entries that a page may have; how many one has is not documented.
MOST_RESULTS = 10_000

#: Bytes of all pages together of a list whose entries have no ids.
LARGEST_LIST = 64 * 1024 * 1024

#: How many entries of a page a warning names, and how many warnings a hook remembers.
MOST_NAMED, MOST_WARNINGS = 10, 10_000


class Kind(NamedTuple):
    """
    What a list lists.

    :param name: in messages.
    :param key_of: gives the key of an entry; None for one whose ids are no ids.
    :param odd_fields: names the fields of an entry that can't be read.
    """

    name: str
    key_of: Callable[[dict[str, object]], Hashable | None]
    odd_fields: Callable[[dict[str, object]], list[str]]


SESSIONS = Kind("sessions", session_key, odd_session_fields)
SPACES = Kind("spaces", space_key, odd_texts)
USERS = Kind("users", user_key, odd_texts)


@dataclass(frozen=True, repr=False)
class Page:
    """
    One page of a list. It has no repr of its fields, since they hold personal data.

    :param items: what is on it, of whatever shape.
    :param count: the server's number of entries of the whole list.
    :param following: the link to the next page.
    :param is_past_end: the server has no such page: the list became shorter.
    """

    items: Sequence[object] = ()
    count: int | None = None
    following: str | None = None
    is_past_end: bool = False


@dataclass(frozen=True)
class Source:
    """
    Where the pages of one list come from.

    :param call: the list, for messages.
    :param get: gets the body of the page with a query.
    :param query_of_next_page: takes the query of a link to the next page.
    """

    call: Call
    get: Callable[[Query], object]
    query_of_next_page: Callable[[str], Query]


def pages_of(source: Source, query: Query, first: object = None) -> Iterator[Page]:
    """
    Read a list page by page, one request for each as it is read.

    :param source: where the pages come from.
    :param query: of the first page.
    :param first: the first page's body, when it is known.
    :raises LessonspaceServerError: for pages of another shape or without an end.
    """
    seen, limits = {tuple(query)}, _Limits(source.call)
    page = _parsed_page(source.get(query) if first is None else first, source.call)
    while True:
        limits.check(page, is_new=bool(page.items))
        yield page
        if page.following is None:
            return
        query = source.query_of_next_page(page.following)
        if tuple(query) in seen:
            raise unexpected(source.call, "a list that ends: a next link leads back to an earlier page")
        seen.add(tuple(query))
        try:
            page = _parsed_page(source.get(query), source.call)
        except LessonspaceNotFoundError as error:
            if PAGE_PAST_THE_END not in str(error):
                raise
            page = Page(is_past_end=True)


def read_whole_list(source: Source, query: Query, first: object) -> JsonList:
    """
    Read a list whose entries have no ids, so that only its count shows whether one is missing: all entries, or none.

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
            raise source.call.error(
                LessonspaceReplyTooLargeError,
                f"{source.call}: the list is larger than {LARGEST_LIST >> 20} MB and was not read to its end. Ask "
                f"Lessonspace about it.",
            )
        counts |= set() if page.count is None else {page.count}
        is_past_end = is_past_end or page.is_past_end
    is_short = is_from_start(query) and len(entries) < max(counts, default=0)
    if is_short or is_past_end or len(counts) > 1:
        count = " or ".join(map(str, sorted(counts))) or "nothing"
        raise unexpected(source.call, f"all entries of a list: {len(entries)} entries, and count={count}")
    with ErrorsReplaced(lambda _: unexpected(source.call, "a list of fewer and smaller entries"), ValueError):
        return JsonList(b"[" + b",".join(entries) + b"]")


def is_from_start(query: Query) -> bool:
    """Whether a query asks for a list's first page."""
    return all(value == "1" for name, value in query if name == "page")


def _parsed_page(body: object, call: Call) -> Page:
    """Read a page: an object with results, or the whole list as a bare array."""
    fields = {"results": body} if isinstance(body, list) else body
    results = fields.get("results") if isinstance(fields, dict) else None
    if not isinstance(fields, dict) or not isinstance(results, list):
        raise unexpected(call, "a page with a list of objects as results")
    if len(results) > MOST_RESULTS:
        raise unexpected(call, f"a page of at most {MOST_RESULTS} results")
    count, following = fields.get("count"), fields.get("next")
    is_count = isinstance(count, int) and not isinstance(count, bool) and count >= 0
    return Page(results, count if is_count else None, str(following) if following else None)


@dataclass
class _Limits:
    """Ends a list that has no end."""

    call: Call
    pages: int = 0
    items: int = 0
    pages_without_new_entries: int = 0

    def check(self, page: Page, *, is_new: bool) -> None:
        """
        Take note of a page.

        :param is_new: whether there is anything on it that was on none before.
        :raises LessonspaceServerError: when it is one too many.
        """
        self.pages += 1
        self.items += len(page.items)
        self.pages_without_new_entries = 0 if is_new else self.pages_without_new_entries + 1
        most = MOST_PAGES if page.count is None else min(MOST_PAGES, page.count + PAGES_BEYOND_COUNT)
        is_endless = self.pages >= most or self.pages_without_new_entries >= PAGES_WITHOUT_NEW_ENTRIES
        if self.items > MOST_ITEMS or (is_endless and page.following is not None):
            raise unexpected(
                self.call,
                f"a list that ends: after {self.pages} pages with {self.items} entries there are more. If the list is "
                f"that long, narrow it with filters",
            )


@dataclass
class _Reading:
    """What was seen while a list was read once."""

    keys: set[Hashable] = field(default_factory=set)
    left_out: list[dict[str, object]] = field(default_factory=list)
    values_left_out: int = 0
    first_count: int | None = None
    last_count: int | None = None
    fell: bool = False
    is_past_end: bool = False

    def add(self, page: Page) -> None:
        """Take note of a page's counts."""
        self.is_past_end = self.is_past_end or page.is_past_end
        if page.count is None:
            return
        if self.last_count is None:
            self.first_count = page.count
        elif page.count < self.last_count:
            self.fell = True
        self.last_count = page.count

    def is_complete(self, *, is_from_start: bool) -> bool:
        """Whether nothing was skipped; entries that were added meanwhile may be missing."""
        if self.fell:
            return False
        if self.first_count is None or not is_from_start:
            return not self.is_past_end
        return len(self.keys) + len(self.left_out) >= self.first_count

    def found(self) -> str:
        """Describe the list's count and what came."""
        return f"{len(self.keys) + len(self.left_out)} entries, and count={self.last_count}"


@dataclass(frozen=True)
class ListMemory:
    """
    What a hook knows of its lists, which a triggerer reads every few seconds.

    :param miscounted: paths of lists whose ``count`` is wrong, so that they are not read twice each time.
    :param warned: warnings that were logged.
    """

    miscounted: set[str] = field(default_factory=set)
    warned: set[str] = field(default_factory=set)

    def is_new(self, warning: str) -> bool:
        """Take note of a warning; whether it was not logged before."""
        is_new = warning not in self.warned
        if is_new and len(self.warned) < MOST_WARNINGS:
            self.warned.add(warning)
        return is_new


class Listing(Iterator[Item], Generic[Item]):
    """
    The entries of a list, each once. Pages are requested as you iterate.

    ``left_out`` and ``incomplete`` are complete at the end of the iteration.

    :param kind: sessions, spaces or users.
    :param source: returns the source of the pages.
    :param query: of the first page.
    :param log: gets warnings about entries that can't be used or read.
    :param memory: of the hook.
    """

    def __init__(self, kind: Kind, source: Callable[[], Source], query: Query, *, log: Log, memory: ListMemory) -> None:
        #: Entries without a proper id. They are not among the entries of the iteration.
        self.left_out: list[Item] = []
        #: Why entries may be missing: the list changed each time it was read. None: no entry is missing.
        self.incomplete: str | None = None
        self._kind = kind
        self._make_source = source
        self._query = query
        self._log = log
        self._memory = memory
        self._entries = self._read()

    def __next__(self) -> Item:
        """Return the next entry; this may request a page."""
        return next(self._entries)

    def _read(self) -> Iterator[Item]:
        source = self._make_source()
        known: set[Hashable] = set()
        readings: list[_Reading] = []
        while not readings or self._must_read_again(readings, source.call):
            reading = _Reading()
            readings.append(reading)
            limits = _Limits(source.call)
            for page in pages_of(source, self._query):
                entries = self._usable(page, reading, source.call)
                limits.check(page, is_new=any(key not in reading.keys for key in entries))
                fresh = {key: entry for key, entry in entries.items() if key not in known}
                reading.keys.update(entries)
                known.update(entries)
                self._report_odd(fresh, source.call)
                yield from cast("Iterable[Item]", fresh.values())
            self.left_out = max(self.left_out, cast("list[Item]", reading.left_out), key=len)

    def _usable(self, page: Page, reading: _Reading, call: Call) -> dict[Hashable, dict[str, object]]:
        """Give the entries of a page by their keys; the others go to those that are left out."""
        reading.add(page)
        objects = [entry if isinstance(entry, dict) else {} for entry in page.items]
        keys = [self._kind.key_of(entry) for entry in objects]
        left_out = [entry for key, entry in zip(keys, objects) if key is None]
        if left_out:
            reading.values_left_out += sum(map(values_in, left_out))
            if reading.values_left_out > MOST_VALUES:
                raise unexpected(call, f"{self._kind.name} with ids")
            reading.left_out += left_out
            self._warn_once(
                f"{call}: {len(left_out)} of {len(objects)} {self._kind.name} on a page were left out, because they "
                f"have no proper id: {first_of([*map(named, left_out)], MOST_NAMED)}"
            )
        usable: dict[Hashable, dict[str, object]] = {}
        for key, entry in zip(keys, objects):
            if key is not None:
                usable.setdefault(key, entry)
        return usable

    def _report_odd(self, entries: dict[Hashable, dict[str, object]], call: Call) -> None:
        odd = [(_id_in(key), fields) for key, entry in entries.items() if (fields := self._kind.odd_fields(entry))]
        if odd:
            words = [f"{name} ({', '.join(fields)})" for name, fields in odd]
            self._warn_once(f"{call}: fields of {self._kind.name} can't be read: {first_of(words, MOST_NAMED)}")

    def _warn_once(self, warning: str) -> None:
        if self._memory.is_new(warning):
            self._log.warning("%s", warning)

    def _must_read_again(self, readings: list[_Reading], call: Call) -> bool:
        last = readings[-1]
        if last.is_complete(is_from_start=is_from_start(self._query)) or (
            not last.fell and call.path in self._memory.miscounted
        ):
            return False
        if len(readings) > 1 and last == readings[-2] and not last.fell:
            self._memory.miscounted.add(call.path)
            self._log.warning("%s: the list did not change, but its count is wrong: %s.", call, last.found())
            return False
        if len(readings) == MOST_READINGS:
            self.incomplete = (
                f"{call}: the list changed each time it was read, {MOST_READINGS} times ({last.found()}), so "
                f"{self._kind.name} may be missing. Run this again later."
            )
            self._log.warning("%s", self.incomplete)
            return False
        self._log.info("%s: the list changed while it was read (%s), and is read again.", call, last.found())
        return True


def _id_in(key: Hashable) -> str:
    return str(key[0] if isinstance(key, tuple) else key)
