"""Benchmarks of the whole system; each script writes its page in docs/benchmarks/."""
