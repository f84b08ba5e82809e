"""Importing images: from a folder or an archive to stored files and rows of the pool.

May import al_engine.pools and al_engine.opaque, and of the site only command_output. Read next:
image_import.py (a batch of images from file to row), sources.py (where files come from),
image_files.py and decoders.py (which files are accepted).
"""
