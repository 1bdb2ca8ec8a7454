# SPDX-License-Identifier: Apache-2.0
"""What tests expect of newer versions of Airflow only."""

from __future__ import annotations

import airflow
import pytest
from packaging.version import Version


def older_than(version: str) -> bool:
    """Whether this Airflow came before a version, such as ``3.2``."""
    return Version(airflow.__version__) < Version(version)


def needs_airflow(version: str, reason: str) -> pytest.MarkDecorator:
    """
    Skip a test on older versions of Airflow.

    :param version: the first that has what the test needs, such as ``3.2``.
    :param reason: what that is, and how it is before.
    """
    return pytest.mark.skipif(older_than(version), reason=f"needs Airflow {version}: {reason}")
