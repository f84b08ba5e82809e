"""The pages of the people who label, as Django serves them: home, labeling, introduction, words.

The labeling path needs nothing of it. Read next: views.py.
"""
