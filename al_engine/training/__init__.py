"""Training and prediction: pixels in memory, the training loop, evaluation, checkpoints.

Imports torch, numpy and Pillow, and of this project only `al_engine.architectures`; it knows
nothing of pools, people or files' owners. Read next: `image_cache.py` for where pixels come from,
`recipe.py` and `loop.py` for training, `evaluate.py` for what a model says, `checkpoint.py` for
how it travels.
"""
