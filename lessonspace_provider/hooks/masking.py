# SPDX-License-Identifier: Apache-2.0
"""Airflow's masking of secrets in logs: the second line of defence, not the first."""

from __future__ import annotations

from lessonspace_provider.output.supervisor_calls import supervisor_calls

try:
    from airflow.sdk.log import mask_secret as _mask_secret
except ImportError:  # Airflow 3.0
    from airflow.sdk.execution_time.secrets_masker import (  # type: ignore[no-redef]  # the same function, moved
        mask_secret as _mask_secret,
    )


def mask_secret(secret: str) -> None:
    """Mask a secret in Airflow's logs; from any thread."""
    with supervisor_calls:
        _mask_secret(secret)
