"""The whole shop on one machine: ports, configuration and start order of all its processes."""
