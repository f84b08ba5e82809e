"""Setting campaigns up: lists of classes, and the pages of the pools in the admin.

May import al_engine.pools, and of the site accounts, importing, images and monitor. Read next:
class_lists.py and admin/.
"""
