"""Garbage collection: what a process has loaded by the time it begins to work stays as long as it runs."""

import gc


def freeze_loaded_objects() -> None:
    """Take what is there out of the collector's sight.

    A full collection walks through all modules and classes (a tenth of a second) and frees nothing of it; meanwhile nobody is answered.
    """
    gc.collect()
    gc.freeze()
