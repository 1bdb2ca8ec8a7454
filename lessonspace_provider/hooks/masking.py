# SPDX-License-Identifier: Apache-2.0
"""Airflow's masking of secrets in logs: the second line of defence, not the first."""

from __future__ import annotations

try:
    from airflow.sdk.log import mask_secret
except ImportError:  # Airflow 3.0
    from airflow.sdk.execution_time.secrets_masker import mask_secret  # type: ignore[no-redef]  # the same function, moved

__all__ = ["mask_secret"]
