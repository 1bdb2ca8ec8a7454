# SPDX-License-Identifier: Apache-2.0
"""Airflow triggers for Lessonspace. All that wait on a connection share one poll."""
