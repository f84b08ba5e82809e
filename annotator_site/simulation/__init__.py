"""Simulated annotators and the demo: trying the whole system with nobody at the keyboard.

A simulated annotator is a program like any other: it reads the known labels from the database
beforehand and then speaks the labeling protocol alone. May import al_engine.pools, accounts and
campaigns. Read next: bot.py (one annotator), crowd.py (many), summary.py (what they measured),
demo_campaign.py (what `manage.py demo` makes).
"""
