"""Training: from pairs to a model's folder.

`regard.training.run.train` does all of it; `loop` is the training itself.
"""
