# SPDX-License-Identifier: Apache-2.0
"""Which tests need what only newer versions of Airflow have."""

from __future__ import annotations

import airflow
import pytest
from packaging.version import Version


def needs_airflow(version: str, reason: str) -> pytest.MarkDecorator:
    """
    Skip a test on older versions of Airflow.

    :param version: the first that has what the test needs, such as ``3.2``.
    :param reason: what that is, and how it is before.
    """
    return pytest.mark.skipif(
        Version(airflow.__version__) < Version(version), reason=f"needs Airflow {version}: {reason}"
    )
