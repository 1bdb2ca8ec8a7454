# SPDX-License-Identifier: Apache-2.0
"""Takes people out of an archive's files that belong to no session: accounts of bulk jobs, the health page, others."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Collection
from functools import partial
from typing import TYPE_CHECKING

from lessonspace_provider.archive.erasure.inventory import Inventory
from lessonspace_provider.archive.erasure.people import ErasedPeople
from lessonspace_provider.archive.erasure.receipt import Receipt, redacted_receipt
from lessonspace_provider.archive.erasure.redaction import Found, is_searchable, redacted_file, searchable
from lessonspace_provider.archive.erasure.session_files import NO_TEXT, WAS_LINK
from lessonspace_provider.archive.erasure.tombstones import redacted_path
from lessonspace_provider.archive.fetching import reason_of
from lessonspace_provider.bulk.account_lock import locked
from lessonspace_provider.output.destinations import join_below
from lessonspace_provider.output.files import (
    folders_below,
    is_link,
    is_too_long,
    read_whole,
    remove_if_empty,
    write_whole,
)

if TYPE_CHECKING:
    from airflow.sdk import ObjectStoragePath

#: Files of this provider's own outside of sessions, tables and accounts.
HEALTH = ("health.json", "health.html")

#: Seconds to wait for a bulk job to end.
ACCOUNT_TIMEOUT = 10.0

FOLDER = "the path has the person: rename the folder, and what names it in your DAGs"
PLACEHOLDER = "it is the placeholder of a folder, and its path has the person: delete it"
LINK = "it is a symbolic link, and what it leads to was not searched"
UNSEARCHED = "it was not searched"
FOREIGN = "this provider did not write it: remove the person from it, or the file"
PART = (
    "a run is writing it, or was killed while it did so: run the erasure again when no run is in progress, after "
    "removing this file"
)


Redact = Callable[[str, bytes, ErasedPeople], tuple[bytes | None, Found]]


def _redacted_receipt(_: str, data: bytes, people: ErasedPeople) -> tuple[bytes | None, Found]:
    after = redacted_receipt(data, people)
    return after, Found(names=int(after != data))


class OtherFiles:
    """
    The other files of one archive.

    :param destination: the archive's folder.
    :param receipt: takes what was changed and what was left.
    :param dry_run: change nothing, and record what would be changed.
    """

    def __init__(self, destination: ObjectStoragePath, receipt: Receipt, *, dry_run: bool) -> None:
        self._destination = destination
        self._receipt = receipt
        self._dry_run = dry_run

    def run(self, inventory: Inventory, people: ErasedPeople, foreign: Collection[str]) -> None:
        """
        Search all of them, and change those that this provider wrote.

        :param foreign: further paths that are not this provider's.
        """
        for folder, paths in inventory.accounts.items():
            self._guarded(folder or ".", partial(self._account, folder, paths, people))
        for path in (*inventory.others, *foreign):
            self._guarded(path, partial(self._change if path in HEALTH else self._leave, path, people))
        for path in inventory.receipts:
            if not path.endswith(f"/{self._receipt.name}"):
                self._guarded(path, partial(self._change, path, people, _redacted_receipt))
        for path in inventory.placeholders:
            if redacted_path(path, people) != path:
                self._receipt.leave(path, PLACEHOLDER)
        for path in inventory.parts:
            self._guarded(path, partial(self._leave, path, people, PART))

    def _guarded(self, path: str, act: Callable[[], None]) -> None:
        try:
            act()
        except Exception as error:  # one file stops no other, whatever a store's client raises
            self._receipt.leave(path, reason_of(error), failed=True)

    def _account(self, folder: str, paths: Collection[str], people: ErasedPeople) -> None:
        for path in paths:
            if redacted_path(path, people) != path:
                self._receipt.leave(path, FOLDER)
        if not any(self._has(path, people) for path in paths):
            return
        if self._dry_run:
            for path in paths:
                self._change(path, people)
            return
        with locked(join_below(self._destination, folder), secrets.token_hex(4), ACCOUNT_TIMEOUT):
            for path in paths:
                self._change(path, people)

    def _has(self, path: str, people: ErasedPeople) -> bool:
        data = read_whole(join_below(self._destination, path)) or b""
        return people.may_occur_in(searchable(data))

    def _change(self, path: str, people: ErasedPeople, redact: Redact = redacted_file) -> None:
        place = join_below(self._destination, path)
        data = read_whole(place)
        if data is None or not people.may_occur_in(searchable(data)):
            return
        after, found = redact(path.rpartition(".")[2], data, people)
        if after is None:
            self._receipt.leave(path, "its content can't be read", failed=True)
        elif after != data:
            if is_link(place):
                self._receipt.leave(path, WAS_LINK)
            if not self._dry_run:
                write_whole(place, after)
            self._receipt.add(path, "rewritten", data, after, found.lines, found.names)

    def _leave(self, path: str, people: ErasedPeople, reason: str = FOREIGN) -> None:
        place = join_below(self._destination, path)
        try:
            data = read_whole(place) or b""
        except Exception as error:
            if not (is_link(place) or is_too_long(place)):
                raise
            self._receipt.leave(path, LINK if is_link(place) else f"{UNSEARCHED}: {reason_of(error)}")
            return
        text = searchable(data)
        is_named = redacted_path(path, people) != path
        if is_named or (people.may_occur_in(text) and people.redacted(text, ids=True)[1]):
            self._receipt.leave(path, reason)
        elif not is_searchable(data):
            self._receipt.leave(path, f"{UNSEARCHED}: {NO_TEXT}")

    def remove_empty_folders(self, people: ErasedPeople) -> int:
        """Remove the empty folders that are named after the people; return how many."""
        if self._dry_run:
            return 0
        named = [path for path in folders_below(self._destination) if redacted_path(path, people) != path]
        return sum(remove_if_empty(join_below(self._destination, path)) for path in named)
