"""The demonstrations: a corpus made on the spot, the model that learns it in a minute or two, and how well it did.

`english_chinese` translates; what all those of images and recordings share is in `media`.
"""
