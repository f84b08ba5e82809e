"""Whole sites, each in its own folder, under kills and wrong input.

site.py starts sites, finds their processes and lets people label; checker.py compares the database
with people's journals to find anything lost.
"""
