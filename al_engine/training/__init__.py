"""Training and prediction: pixels in memory, the training loop, evaluation, checkpoints.

Imports torch, numpy and Pillow, and of this project only `al_engine.architectures`,
`al_engine.strategies`, `al_engine.decisions` and `al_engine.opaque`; it knows nothing of pools,
people or files' owners.
Read next: `image_cache.py` for where pixels come from and `feed.py` for their way to the device;
`embedding_file.py` for embeddings by the frozen backbones of `backbones.py`;
`recipe.py` and `loop.py` for training, `heads.py` for training on a frozen backbone and
`finetuning.py` for one that learns on; `evaluate.py`
for predictions and accuracy, `calibration.py` for honest probabilities; `checkpoint.py` for models
as bytes.
"""
