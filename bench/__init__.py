"""`make bench`: throughput, latency and memory of the shop. Ratios compare the shop with other servers in the same run."""
