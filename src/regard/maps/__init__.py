"""Attention maps: weights with their labels, the links and numbers in them, and the files that keep them.

Needs numpy alone.
"""

from __future__ import annotations

from regard.files import written_beside
from regard.maps.attention_map import AttentionMap, Convention
from regard.maps.files import load_maps, save_maps
from regard.maps.links import (
    SYMMETRISATIONS,
    Link,
    Links,
    argmax_links,
    assignment_links,
    flip,
    grow_diag_final_and,
    intersection,
    pharaoh,
    threshold_links,
    union,
)
from regard.maps.tokens import NO_WORD, Tokens, visible, whole_words

__all__ = [
    "NO_WORD",
    "SYMMETRISATIONS",
    "AttentionMap",
    "Convention",
    "Link",
    "Links",
    "Tokens",
    "argmax_links",
    "assignment_links",
    "flip",
    "grow_diag_final_and",
    "intersection",
    "load_maps",
    "pharaoh",
    "save_maps",
    "threshold_links",
    "union",
    "visible",
    "whole_words",
    "written_beside",
]
