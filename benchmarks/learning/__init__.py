"""Simulated labeling for `benchmarks/accuracy.py`: the accuracy gained by a strategy's labels.

Imports torch and the parts of the engine that need no database. Read next: `pool.py` for the data,
`course.py` for one simulation, `results.py` for its files, `report.py` for the page.
"""
