"""`make chaos`: buyers order and pay while processes are killed; then the invariants are checked. The tests use the same checker."""
