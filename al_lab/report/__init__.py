"""Reports and their figures, from finished runs. The only part of the lab that needs matplotlib.

May import `al_lab.config`, the results of `al_lab.runs` and the recipes of `al_lab.simulation`.
Read `document.py` first (the whole report), then `layout.py` (which runs belong together),
`measures.py` (what is read from a run) and one of `sections/`.
"""
