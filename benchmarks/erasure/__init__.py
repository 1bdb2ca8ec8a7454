# SPDX-License-Identifier: Apache-2.0
"""What it takes to erase one of 40 people from a large archive."""
