# SPDX-License-Identifier: Apache-2.0
"""Where results go: destinations, files that are written whole, lists, and delivery inside the task."""
