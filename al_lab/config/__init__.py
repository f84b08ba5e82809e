"""Experiments as files: what can be set (`settings.py`), how a file is read (`experiment_file.py`),
and what is wrong with one (`checking.py`). Imports nothing else of the lab.
"""
