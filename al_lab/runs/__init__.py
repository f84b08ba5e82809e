"""Many campaigns: run in processes of their own, written to `results.jsonl`, resumed and reused.

May import everything of the lab but sections of reports. Read `session.py` first.
"""
