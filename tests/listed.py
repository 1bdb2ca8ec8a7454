# SPDX-License-Identifier: Apache-2.0
"""What a stand-in for the hook gives as a list."""

from __future__ import annotations

from collections.abc import Iterator


class Listed(Iterator):
    """Entries as ``LessonspaceHook.list_sessions`` gives them."""

    def __init__(self, entries, left_out=(), incomplete=None):
        self._entries = iter(entries)
        self.left_out = list(left_out)
        self.incomplete = incomplete

    def __next__(self):
        return next(self._entries)
