# SPDX-License-Identifier: Apache-2.0
"""What the example DAGs cost the DAG processor."""
