"""Shared by all tests."""

import pkdn_basicsr  # noqa: F401  (installs the shims, so that a test may import basicsr in any order)
