# SPDX-License-Identifier: Apache-2.0
"""Transcripts and summaries: their formats and the redaction of speakers. Pure."""
