"""Garbage collection settings for long-running processes."""

import gc


def freeze_loaded_objects() -> None:
    """Exclude the objects that exist at startup from garbage collection.

    They live as long as the process. Without this, every full collection visits all modules and classes (a tenth of a second) and frees
    nothing, and all requests wait meanwhile.
    """
    gc.collect()
    gc.freeze()
