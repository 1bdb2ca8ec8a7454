# SPDX-License-Identifier: Apache-2.0
"""Everything one run of the demo writes, below one folder of the checkout."""

from __future__ import annotations

import fcntl
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from lessonspace_provider.local_files import make_private_folder


@dataclass(frozen=True)
class RunFolder:
    """The places in the folder `root`."""

    root: Path

    @property
    def airflow_home(self) -> Path:
        """AIRFLOW_HOME, which also marks the processes of this run."""
        return self.root / "airflow"

    @property
    def task_logs(self) -> Path:
        """Where Airflow writes a log per task attempt."""
        return self.airflow_home / "logs"

    @property
    def launcher(self) -> Path:
        """The folder where `airflow standalone` finds its `airflow`."""
        return self.root / "bin"

    @property
    def archive(self) -> Path:
        """The destination of the nightly archive."""
        return self.root / "archive"

    @property
    def accounts(self) -> Path:
        """The folder of the accounts of class_launch and session_housekeeping."""
        return self.root / "accounts"

    @property
    def links(self) -> Path:
        """Where class_launch writes its links; it makes the folder itself, for its owner only."""
        return self.root / "links"

    @property
    def alerts(self) -> Path:
        """The folder of lesson_alerts."""
        return self.root / "alerts"

    @property
    def analytics(self) -> Path:
        """The folder of lesson_analytics."""
        return self.root / "analytics"

    @property
    def attendance(self) -> Path:
        """The folder of attendance_report."""
        return self.root / "attendance"

    @property
    def inventory(self) -> Path:
        """The folder of people_inventory."""
        return self.root / "inventory"

    @property
    def review(self) -> Path:
        """Where recordings_review writes its links; it makes the folder itself, for its owner only."""
        return self.root / "review"

    @property
    def space_transcripts(self) -> Path:
        """The folder of space_transcripts."""
        return self.root / "space_transcripts"

    @property
    def leavers(self) -> Path:
        """The list that leavers reads."""
        return self.root / "leavers.csv"

    @property
    def sandbox_ready(self) -> Path:
        """The file that appears when the sandbox serves."""
        return self.root / "sandbox.json"

    @property
    def sandbox_calls(self) -> Path:
        """The sandbox's line per call."""
        return self.root / "sandbox-calls.log"

    @property
    def sandbox_log(self) -> Path:
        """What the sandbox prints."""
        return self.root / "sandbox.log"

    @property
    def standalone_log(self) -> Path:
        """What Airflow's components say."""
        return self.root / "standalone.log"

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
