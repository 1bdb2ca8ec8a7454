# SPDX-License-Identifier: Apache-2.0
"""Airflow operators for Lessonspace, a module per resource of the API."""
