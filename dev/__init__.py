"""What `make run`, `make demo`, `make test` and `make bench` start when nothing is given: the whole shop on one machine."""
