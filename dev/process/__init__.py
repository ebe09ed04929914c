"""Processes on this machine: start, supervise, read their output, stop them without leftovers."""
