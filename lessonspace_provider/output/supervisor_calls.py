# SPDX-License-Identifier: Apache-2.0
"""A lock for code that may call the task's supervisor from a thread: for connections, variables, masking."""

from __future__ import annotations

import threading
from contextlib import AbstractContextManager, nullcontext

from airflow import __version__ as airflow_version


def lock_for(version: str) -> AbstractContextManager[object]:
    """
    Make what code that calls the supervisor runs in.

    Before Airflow 3.2, the replies to calls from several threads can reach the wrong thread.
    """
    return threading.RLock() if version.startswith(("3.0.", "3.1.")) else nullcontext()


#: Held while a thread may call the supervisor; no lock from Airflow 3.2 on.
supervisor_calls = lock_for(airflow_version)
