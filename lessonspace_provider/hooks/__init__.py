# SPDX-License-Identifier: Apache-2.0
"""The Airflow hook for Lessonspace."""
