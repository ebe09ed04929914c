"""Tests of one or two services in this process, on real servers."""

import tests.fixtures.environment  # noqa: F401 -- services read it when they are imported
