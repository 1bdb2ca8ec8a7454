# SPDX-License-Identifier: Apache-2.0
"""Apache Airflow provider for Lessonspace, the online classroom."""

__version__ = "0.1.0"
