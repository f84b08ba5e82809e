"""Who may open what: every address and every socket of the site, for every kind of person.

Begin with `table.py`, which says what is expected; a new address needs a row there.
"""
