"""Images and labels from files: formats, libraries, the cache of unpacked images, recorded labels.

May import `al_lab.config`. Read `datasets.py` first: what a data set is, and a seed's sample of it.
"""
