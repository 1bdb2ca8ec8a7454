# SPDX-License-Identifier: Apache-2.0
"""Helpers of the DAG `attendance_report`: copy this folder with it."""
