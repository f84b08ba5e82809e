"""Setting campaigns up: classes, and their pages in the admin.

May import al_engine.pools, annotator_site.accounts and annotator_site.importing. Read next:
class_lists.py and admin/.
"""
