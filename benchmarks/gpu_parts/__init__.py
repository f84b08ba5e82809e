"""The parts of `benchmarks/gpu.py`: each measures one thing on one card and tells it row by row."""
