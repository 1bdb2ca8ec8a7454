# SPDX-License-Identifier: Apache-2.0
"""What can be waited for: whether a session has ended, which one was the lesson, whether there is a transcript. Pure."""
