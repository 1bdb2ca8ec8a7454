# SPDX-License-Identifier: Apache-2.0
"""Fixtures that tests of the commands share with those of the archive."""

from tests.unit.archive.conftest import archiver, log, source

__all__ = ["archiver", "log", "source"]
