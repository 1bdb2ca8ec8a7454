# SPDX-License-Identifier: Apache-2.0
"""Names that JSON's escapes hide: behind the end of a line, or written as numbers of characters."""

from __future__ import annotations

import json
import re

from tests.unit.archive.erased import ADA, ANN, archived, erase, said
from tests.unit.archive.kit import a_session, good, tree


def test_a_name_that_begins_a_line_of_a_text_is_erased(archiver, source, tmp_path):
    source.outcomes[good(4)] = [said(0.0, 1, "Ann", "Hello\nBen"), said(1.0, 2, "Ada", "Call\tOkafor")]
    archived(archiver, source, [a_session(4, name="Maths", profiles=[ANN, ADA])])
    receipt = erase(tmp_path)
    assert [path for path, data in tree(tmp_path).items() if re.search(b"Ben|Okafor", data)] == []
    assert [given["sessions"] for given in receipt.searched] == [0, 1]


def test_an_account_with_escapes_is_searched(archiver, source, tmp_path):
    archived(archiver, source)
    account = tmp_path / "links" / "account.jsonl"
    account.parent.mkdir()
    lines = [{"reason": "Failed:\nOkafor"}, {"reason": "Zo\u00eb was late"}, {"reason": "C:\\nora"}]
    separated = json.dumps({"reason": "Ben\u2028called"}, ensure_ascii=False) + "\n"
    account.write_text("".join(json.dumps(line) + "\n" for line in lines) + separated)
    erase(tmp_path, names=("Ben Okafor", "Zo\u00eb", "Nora"))
    assert [json.loads(line)["reason"] for line in account.read_bytes().splitlines()] == [
        "Failed:\n[erased]",
        "[erased] was late",
        "C:\\[erased]",
        "[erased]\u2028called",
    ]
