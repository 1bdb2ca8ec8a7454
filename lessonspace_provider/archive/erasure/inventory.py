# SPDX-License-Identifier: Apache-2.0
"""What the files of an archive are, by their paths. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field

from lessonspace_provider.archive.erasure.tombstones import ERASURES, KEY, TOMBSTONES
from lessonspace_provider.archive.index import INDEX
from lessonspace_provider.archive.windows import MANIFESTS, window_of
from lessonspace_provider.bulk.account import FILE_NAME as ACCOUNT

TABLES = "tables"

_UUID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.IGNORECASE)
_TABLE = re.compile(r"tables/[^/]+/day=[^/]+/[^/]+\.parquet")
_RECEIPT = re.compile(rf"{ERASURES}/\d{{8}}T\d{{6}}\.\d{{6}}Z\.json")
_LOCK = re.compile(r"account\.lock|account-[0-9a-f]+\.lease")
_JOURNAL = re.compile(r"journal-[0-9]{6,}-[0-9a-f]{8}\.jsonl")


@dataclass
class Inventory:
    """
    The files of an archive.

    :param manifests: names of manifests.
    :param sessions: paths of transcripts, summaries and whatever else has a session's uuid in its path, by that uuid.
    :param tables: paths of table files.
    :param accounts: paths of the files of each bulk job's account, by the account's folder.
    :param receipts: paths of the receipts of erasures and expiries.
    :param parts: files that a run is writing, or that a killed run has left.
    :param placeholders: objects that tools of S3 write in place of folders; their paths end in a slash.
    :param others: all other files, but locks, the tombstones with their key, and the index of manifests.
    """

    manifests: list[str] = field(default_factory=list)
    sessions: dict[str, list[str]] = field(default_factory=dict)
    tables: list[str] = field(default_factory=list)
    accounts: dict[str, list[str]] = field(default_factory=dict)
    receipts: list[str] = field(default_factory=list)
    parts: list[str] = field(default_factory=list)
    placeholders: list[str] = field(default_factory=list)
    others: list[str] = field(default_factory=list)


def inventory_of(paths: Iterable[str]) -> Inventory:
    """
    Sort the files of an archive.

    :param paths: below its destination.
    """
    found, listed = Inventory(), list(paths)
    accounts = {path.rpartition("/")[0] for path in listed if path.rpartition("/")[2] == ACCOUNT}
    for path in listed:
        folder, _, name = path.rpartition("/")
        if path.endswith("/"):
            found.placeholders.append(path)
        elif name.startswith(".") and name.endswith((".part", ".old")):
            found.parts.append(path)
        elif folder == MANIFESTS and window_of(name):
            found.manifests.append(name)
        elif _TABLE.fullmatch(path):
            found.tables.append(path)
        elif folder in accounts and (name == ACCOUNT or _JOURNAL.fullmatch(name)):
            found.accounts.setdefault(folder, []).append(path)
        elif _RECEIPT.fullmatch(path):
            found.receipts.append(path)
        elif path not in (INDEX, TOMBSTONES, KEY) and not _LOCK.fullmatch(name):
            _add_file(path, found)
    return found


def _add_file(path: str, found: Inventory) -> None:
    uuids = uuids_in(path)
    for uuid in set(uuids):  # one of several is that of a space
        found.sessions.setdefault(uuid, []).append(path)
    if not uuids:
        found.others.append(path)


def uuids_in(path: str) -> list[str]:
    """Read the uuids in a path, in lower case."""
    return [uuid.lower() for uuid in _UUID.findall(path)]
