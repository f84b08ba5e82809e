"""People: log-in, tokens. May import al_engine.pools. Read next: models.py, tokens.py."""
