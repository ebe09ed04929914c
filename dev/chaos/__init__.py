"""`make chaos`: purchases while everything is killed, and the checker that says what must be true afterwards; tests use it too."""
