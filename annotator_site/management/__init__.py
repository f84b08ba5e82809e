"""Management commands of the site: arguments in, one call out; the work is in `running.py`."""
