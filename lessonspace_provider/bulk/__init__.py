# SPDX-License-Identifier: Apache-2.0
"""Many items in one task: their checks, an account of each, the threads that work on them, and their progress."""
