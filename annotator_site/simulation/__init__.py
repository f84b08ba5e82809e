"""Simulated annotators and the demo: trying the whole system without people.

Known labels are read from the database before a run; during the run a simulated annotator uses
only the labeling protocol. May import al_engine.pools, and of the site accounts, importing,
labeling.protocol and network.close_codes. Read next: bot.py (one annotator), crowd.py (many),
summary.py (what they measured), demo_campaign.py (what `manage.py demo` makes).
"""
