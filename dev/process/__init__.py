"""Processes on this machine: start and supervise them, read their output, and stop them with all their children."""
