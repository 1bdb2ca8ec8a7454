# SPDX-License-Identifier: Apache-2.0
"""What waits decide: whether a session has ended, which one was the lesson, whether there is a transcript. Pure."""
