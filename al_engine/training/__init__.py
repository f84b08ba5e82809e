"""Training and prediction: pixels in memory, the training loop, evaluation, checkpoints.

Imports torch, numpy and Pillow, and of this project only `al_engine.architectures`,
`al_engine.strategies` and `al_engine.opaque`; it knows nothing of pools, people or files' owners.
Read next: `image_cache.py` for where pixels come from and `feed.py` for their way to the device;
`recipe.py` and `loop.py` for training, `head.py` where the backbone is frozen; `evaluate.py` for
what a model says, `calibration.py` for what that is worth; `checkpoint.py` for how a model travels.
"""
