"""What `make bench` measures: the promises of the project, on real data."""
