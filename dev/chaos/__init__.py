"""`make chaos`: buyers order and pay while processes are killed, and afterwards the invariants are checked. Tests check them too."""
