"""What would this arrangement of servers, workers and people have done?

Real training and real selection by the product's own parts, on a virtual clock: a run on one device
says what m servers and k workers would have done, and is repeatable from its seed.

May import the pure parts of `al_engine`: strategies, architectures, training, and the modules that
decide; never Django. Nothing imports it. Read next: `config/` (what can be set), `simulation/` (one
campaign), `runs/` (many of them, in processes of their own), `report/` (what came of them); `data/`
reads images and recorded labels.
"""
