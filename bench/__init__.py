"""`make bench`: throughput, latency and memory of the shop. Ratios compare the shop with other servers in the same run."""

from pathlib import Path

LATEST = Path(__file__).with_name("latest.json")
"""The results of the last run."""
