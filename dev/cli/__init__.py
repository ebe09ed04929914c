"""Commands of the Makefile, one module per command."""
