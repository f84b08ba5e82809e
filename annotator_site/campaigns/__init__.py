"""Setting campaigns up: classes, people, importing images, their pages in the admin.

May import al_engine.pools and annotator_site.accounts. Read next: importing.py (a batch of
images from file to row), sources.py, image_files.py and decoders.py (what is let in),
admin.py.
"""
