# SPDX-License-Identifier: Apache-2.0
"""Everything one run of the demo writes, below one folder of the checkout."""

from __future__ import annotations

import fcntl
import shutil
from pathlib import Path
from typing import IO

from lessonspace_provider._local_files import make_private_folder


class RunFolder:
    """The places in the folder `root`: those of the programs, and of the example DAGs that write files."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.airflow_home = root / "airflow"  # AIRFLOW_HOME, which also marks the processes of this run
        self.task_logs = self.airflow_home / "logs"
        self.launcher = root / "bin"  # where `airflow standalone` finds its `airflow`
        self.archive = root / "archive"
        self.leavers = root / "leavers.csv"  # the list that the DAG leavers reads
        self.sandbox_ready = root / "sandbox.json"  # the file that appears when the sandbox serves
        self.sandbox_calls = root / "sandbox-calls.log"  # the sandbox's line per call
        self.sandbox_log = root / "sandbox.log"
        self.standalone_log = root / "standalone.log"

    def claim(self) -> IO[str] | None:
        """Keep other runs out of this folder, for as long as the returned file is open in any process.

        :return: None if another run has the folder.
        :raises PermissionError: when the folder above belongs to another user.
        """
        # What is in there is run, or allows to log in. An earlier version made it for all users of the machine.
        self.root.parent.mkdir(mode=0o700, exist_ok=True)
        self.root.parent.chmod(0o700)
        make_private_folder(self.root.parent)
        lock = self.root.with_suffix(".lock").open("w")
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            lock.close()
            return None
        return lock

    def empty(self) -> None:
        """Remove what an earlier run left, and make the folders that a run needs."""
        if self.root.exists():
            shutil.rmtree(self.root)
        for folder in (self.airflow_home / "tmp", self.launcher, self.archive):
            folder.mkdir(parents=True)
