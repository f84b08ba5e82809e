"""The parts of `benchmarks/engine.py`: each measures one thing and returns it as Markdown."""
