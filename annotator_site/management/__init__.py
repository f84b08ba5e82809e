"""Management commands of the site. They parse arguments; `running.py` does the work."""
