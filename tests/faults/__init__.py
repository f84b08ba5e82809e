"""Whole sites under folders of their own, and what kills and mistakes do to them.

site.py starts them, finds their processes and lets people label; checker.py reads from the
database and from people's journals whether anything was lost.
"""
