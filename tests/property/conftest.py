"""Random sequences of operations, compared with a small model of what must be true."""

import tests.fixtures.environment  # noqa: F401 -- services read it when they are imported
