"""The pages of the people who label, as Django serves them: home, labeling, introduction, words.

The labeling path imports nothing from here. Read next: views.py.
"""
