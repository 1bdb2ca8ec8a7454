# SPDX-License-Identifier: Apache-2.0
"""The folder of a demo's files, whose makers may not have been its user."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from scripts.run_folder import RunFolder
from tests.users import ANOTHER_USER, NEEDS_ROOT


@pytest.mark.parametrize("before", [None, 0o755, 0o777])
def test_no_other_user_can_enter_the_folder(tmp_path: Path, before: int | None) -> None:
    folder = tmp_path / ".demo"
    if before is not None:
        folder.mkdir()
        folder.chmod(before)
    claim = RunFolder(folder / "ui").claim()
    assert claim is not None
    claim.close()
    assert folder.stat().st_mode & 0o777 == 0o700


@NEEDS_ROOT
def test_a_folder_of_another_user_is_refused(tmp_path: Path) -> None:
    folder = tmp_path / ".demo"
    folder.mkdir()
    os.chown(folder, ANOTHER_USER, -1)
    with pytest.raises(PermissionError, match=f"it belongs to the user with id {ANOTHER_USER}"):
        RunFolder(folder / "ui").claim()
    assert list(folder.iterdir()) == []
