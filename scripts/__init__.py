# SPDX-License-Identifier: Apache-2.0
"""What `make demo` and `make ui` run. Standard library only, and no part of the installed package."""
