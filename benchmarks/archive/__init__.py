# SPDX-License-Identifier: Apache-2.0
"""The archive beside other ways to fetch transcripts, large archives, and memory."""
