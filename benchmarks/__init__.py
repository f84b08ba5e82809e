"""Measurements of the whole system, each a script that writes its page of docs/benchmarks/."""
