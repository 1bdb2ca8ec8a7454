# SPDX-License-Identifier: Apache-2.0
"""Launches a file as a task does, in a process that can be killed. Each link is delivered as a line of a file."""

from __future__ import annotations

import os
import sys

from lessonspace_provider.operators.spaces import LessonspaceLaunchSpacesOperator


def main(launches: str, account: str, mailbox: str, threads: str) -> None:
    """Launch, and append the name of each person to the mailbox when the link is delivered."""
    descriptor = os.open(mailbox, os.O_WRONLY | os.O_CREAT | os.O_APPEND)

    def deliver(launch, context):
        os.write(descriptor, f"{launch['request']['user']['id']}\n".encode())

    LessonspaceLaunchSpacesOperator(
        task_id="launch", launches=launches, account=account, deliver=deliver, max_threads=int(threads)
    ).execute({})


if __name__ == "__main__":
    main(*sys.argv[1:])
