"""`make bench`: benchmarks of the shop as ratios, measured side by side in one run."""
