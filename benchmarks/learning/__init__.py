"""Simulated labeling for `benchmarks/accuracy.py`: what a strategy's labels are worth.

Torch and the engine's parts that know no database. Read next: `pool.py` for what is labeled,
`course.py` for one simulation, `results.py` for its files, `report.py` for the page.
"""
