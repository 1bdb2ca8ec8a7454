# SPDX-License-Identifier: Apache-2.0
"""Writes links into files, for `class_launch` and `recordings_review`. It is not a DAG; keep it beside them."""

from __future__ import annotations

import os
import re
from pathlib import Path
from tempfile import NamedTemporaryFile


def write_file(folder: Path, name: str, text: str) -> None:
    """
    Write a file that only the owner may read; the same name again replaces it.

    :raises PermissionError: when other users could write links into the folder.
    """
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    made = folder.stat()
    if made.st_uid != os.geteuid() or made.st_mode & 0o022:
        raise PermissionError(
            f"Other users may write to {folder}, and could replace the links: give a folder of the user that runs "
            f"Airflow, with mode 0700, or a folder that does not exist yet."
        )
    path = folder / (re.sub(r"[^\w-]+", "-", name) + ".txt")
    # A new file, which takes the name: what has that name may be a link to elsewhere, or open to others.
    with NamedTemporaryFile("w", dir=folder, prefix=".", encoding="utf-8", delete=False) as file:
        part = Path(file.name)
        try:
            file.write(text)
            file.flush()
            part.replace(path)
        except BaseException:
            part.unlink(missing_ok=True)
            raise
