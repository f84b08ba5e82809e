"""The parts of `benchmarks/engine.py`: each measures one thing and says it as Markdown."""
