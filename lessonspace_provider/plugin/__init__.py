# SPDX-License-Identifier: Apache-2.0
"""The page of the archives in Airflow's UI. Nothing else imports it."""
