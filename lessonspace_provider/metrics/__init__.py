# SPDX-License-Identifier: Apache-2.0
"""Metrics, through Airflow's own Stats."""
