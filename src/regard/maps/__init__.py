"""Attention maps: weights with their labels, the links and numbers in them, and the files that keep them.

Needs numpy alone.
"""

from __future__ import annotations

from regard.files import written_beside
from regard.maps.attention_map import AttentionMap, Convention
from regard.maps.files import check_ending, load_maps, save_maps
from regard.maps.links import (
    METHODS,
    SYMMETRISATIONS,
    Link,
    Links,
    argmax_links,
    assignment_links,
    flip,
    grow_diag_final_and,
    intersection,
    links_from,
    mean_links,
    pharaoh,
    threshold_links,
    union,
)
from regard.maps.media import Medium, Picture, Sound
from regard.maps.times import WordTime, check_times, save_times, times_json, times_srt, word_times
from regard.maps.tokens import NO_WORD, Tokens, visible, whole_words
from regard.maps.words import idle_words, in_words, weigh, weighted_links, weighted_pharaoh, word_matrix, words_at

__all__ = [
    "METHODS",
    "NO_WORD",
    "SYMMETRISATIONS",
    "AttentionMap",
    "Convention",
    "Link",
    "Links",
    "Medium",
    "Picture",
    "Sound",
    "Tokens",
    "WordTime",
    "argmax_links",
    "assignment_links",
    "check_ending",
    "check_times",
    "flip",
    "grow_diag_final_and",
    "idle_words",
    "in_words",
    "intersection",
    "links_from",
    "load_maps",
    "mean_links",
    "pharaoh",
    "save_maps",
    "save_times",
    "threshold_links",
    "times_json",
    "times_srt",
    "union",
    "visible",
    "weigh",
    "weighted_links",
    "weighted_pharaoh",
    "whole_words",
    "word_matrix",
    "word_times",
    "words_at",
    "written_beside",
]
