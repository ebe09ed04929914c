"""`make chaos`: buyers order and pay while processes are killed; afterwards the invariants are checked. Tests check them, too."""
