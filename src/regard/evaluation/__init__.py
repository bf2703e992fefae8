"""How good outputs and alignments are: metrics with signatures, intervals, comparisons, tables.

Needs numpy alone; BLEU, chrF and TER bring sacreBLEU in when they are asked for.
"""

from __future__ import annotations

from regard.evaluation.alignment import (
    RATES,
    AlignmentScore,
    Gold,
    alignment_score,
    alignment_statistics,
    parse_gold,
    parse_links,
    read_gold,
    read_links,
)
from regard.evaluation.counts import Comparison, Interval, Statistics, bootstrap, by_length, paired_bootstrap
from regard.evaluation.distance import edit_distance
from regard.evaluation.metrics import METRICS, Metric, bleu_tokenizer, length_ratio, score, statistics
from regard.evaluation.report import Score, score_table, table

__all__ = [
    "METRICS",
    "RATES",
    "AlignmentScore",
    "Comparison",
    "Gold",
    "Interval",
    "Metric",
    "Score",
    "Statistics",
    "alignment_score",
    "alignment_statistics",
    "bleu_tokenizer",
    "bootstrap",
    "by_length",
    "edit_distance",
    "length_ratio",
    "paired_bootstrap",
    "parse_gold",
    "parse_links",
    "read_gold",
    "read_links",
    "score",
    "score_table",
    "statistics",
    "table",
]
