"""How pictures come in: from a folder or an archive to stored files and rows of the pool.

May import al_engine.pools; nothing else of the site but how commands print. Read next:
image_import.py (a batch of images from file to row), sources.py (where files come from),
image_files.py and decoders.py (what is let in).
"""
