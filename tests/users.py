# SPDX-License-Identifier: Apache-2.0
"""Files of other users, which only root can make."""

from __future__ import annotations

import os

import pytest

NEEDS_ROOT = pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a file to another user")
ANOTHER_USER = 4711
