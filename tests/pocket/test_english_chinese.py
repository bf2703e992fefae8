"""The English-Chinese pocket corpus: its parts, its alignments, and each of its phenomena."""

from __future__ import annotations

import os
import subprocess
import sys
from collections import Counter, defaultdict
from functools import cache
from pathlib import Path

import pytest

from regard.data.pocket import (
    PocketPair,
    by_character,
    character_links,
    corpus,
    lexicon,
    statistics,
    unseen,
    word_for_word,
    word_for_word_accuracy,
    write_tsv,
)
from regard.data.pocket.english_chinese import CONSTRUCTIONS, SIZES, join_english


@cache
def seeded(seed: int) -> list[PocketPair]:
    return corpus("english-chinese", seed)


@pytest.fixture
def pairs() -> list[PocketPair]:
    return seeded(0)


def part_of(pairs: list[PocketPair], part: str) -> list[PocketPair]:
    return [pair for pair in pairs if pair.part == part]


# Source, target in words, sure links, possible links.
GOLDEN = [
    ("Tom chases Jerry.", "汤姆 追 杰瑞 。", "0-0 1-1 2-2 3-3", ""),
    ("Tom chase Jerry", "汤姆 追 杰瑞", "0-0 1-1 2-2", ""),
    ("Every day she sings.", "每 天 她 唱歌 。", "0-0 1-1 2-2 3-3 4-4", ""),
    ("Lily is running in the park.", "莉莉 正 在 公园 里 跑步 。", "0-0 2-5 3-2 5-3 6-6", "1-1 2-1 3-4 4-3"),
    ("Jerry never plays basketball.", "杰瑞 从不 打 篮球 。", "0-0 1-1 2-2 3-3 4-4", ""),
    ("I will cry again.", "我 会 再 哭 。", "0-0 1-1 2-3 3-2 4-4", ""),
    ("She cried too.", "她 也 哭 了 。", "0-0 1-2 1-3 2-1 3-4", ""),
    ("Jack will play basketball with Lily.", "杰克 会 和 莉莉 一起 打 篮球 。", "0-0 1-1 2-5 3-6 4-2 4-4 5-3 6-7", ""),
    ("Mary ate noodles with chopsticks.", "玛丽 用 筷子 吃 了 面条 。", "0-0 1-3 1-4 2-5 3-1 4-2 5-6", ""),
    ("I am playing baseball with a bat.", "我 正在 用 球棒 打 棒球 。", "0-0 2-4 3-5 4-2 6-3 7-6", "1-1 2-1 5-3"),
    ("Mary sings very well.", "玛丽 唱 得 非常 好 。", "0-0 1-1 2-3 3-4 4-5", "3-2"),
    ("I gave a bat to Jerry.", "我 给 了 杰瑞 一 根 球棒 。", "0-0 1-1 1-2 2-4 3-6 5-3 6-7", "2-5 3-5 4-1 4-2"),
    ("Mary put the hat on the table.", "玛丽 把 帽子 放 在 桌子 上 了 。",
     "0-0 1-3 1-7 3-2 4-6 6-5 7-8", "1-1 1-4 2-2 4-4 5-5"),
    ("Anna goes to the park by bus.", "安娜 坐 公共汽车 去 公园 。", "0-0 1-3 4-4 5-1 6-2 7-5", "2-3 3-4"),
    ("Jerry isn't tall.", "杰瑞 不 高 。", "0-0 1-1 2-2 3-3", ""),
    ("His friend is tired.", "他 的 朋友 很 累 。", "0-0 0-1 1-2 3-4 4-5", "2-3 3-3"),
    ("That letter is short.", "那 封 信 很 短 。", "0-0 1-2 3-4 4-5", "0-1 1-1 2-3 3-3"),
    ("Lily is taller than Jack.", "莉莉 比 杰克 高 。", "0-0 2-3 3-1 4-2 5-4", ""),
    ("Anna isn't a teacher.", "安娜 不 是 老师 。", "0-0 1-1 3-3 4-4", "1-2 2-3"),
    ("Anna doesn't have a car.", "安娜 没 有 汽车 。", "0-0 1-1 2-2 4-3 5-4", "3-3"),
    ("There are two cats under the tree.", "树 下 有 两 只 猫 。", "2-3 3-5 4-1 6-0 7-6", "0-2 1-2 2-4 3-4 5-0"),
    ("Where is his dog?", "他 的 狗 在 哪里 ？", "0-4 1-3 2-0 2-1 3-2 4-5", ""),
    ("Is Lucy running now?", "露西 现在 正在 跑步 吗 ？", "1-0 2-3 3-1 4-5", "0-2 0-4 2-2 4-4"),
    ("Which book will Jack open?", "杰克 会 翻开 哪 本 书 ？", "0-3 1-5 2-1 3-0 4-2 5-6", "0-4 1-4"),
    ("How many books did they close?", "他们 合上 了 几 本 书 ？", "0-3 1-3 2-5 4-0 5-1 6-6", "0-4 1-4 2-4 3-2 5-2"),
    ("Who does Lily like?", "莉莉 喜欢 谁 ？", "0-2 2-0 3-1 4-3", ""),
    ("Where does Peter cry?", "彼得 在 哪里 哭 ？", "0-1 0-2 2-0 3-3 4-4", ""),
    ("Why is Lucy playing basketball?", "露西 为什么 在 打 篮球 ？", "0-1 2-0 3-3 4-4 5-5", "1-2 3-2"),
    ("Whose cat is this", "这 是 谁 的 猫", "0-2 0-3 1-4 2-1 3-0", ""),
    ("Help Tom, please.", "请 帮助 汤姆 。", "0-1 1-2 3-0 4-3", ""),
    ("Don't open that book.", "别 翻开 那 本 书 。", "0-0 1-1 2-2 3-4 4-5", "2-3 3-3"),
    ("Lily can swim.", "莉莉 会 游泳 。", "0-0 1-1 2-2 3-3", ""),
    ("Jerry can help Tom.", "杰瑞 能 帮助 汤姆 。", "0-0 1-1 2-2 3-3 4-4", ""),
    ("This fish was eaten by Lucy.", "这 条 鱼 被 露西 吃 了 。", "0-0 1-2 3-5 3-6 5-4 6-7", "0-1 1-1 2-3 2-6 4-3"),
    ("Mary wasn't caught.", "玛丽 没 被 抓住 。", "0-0 1-1 2-3 3-4", "1-2"),
    ("The cat that is sleeping is happy.", "正在 睡觉 的 猫 很 高兴 。", "1-3 2-2 4-1 6-5 7-6", "0-3 3-0 4-0 5-4 6-4"),
    ("The girl who is crying is happy.", "正在 哭 的 女孩 很 高兴 。", "1-3 2-2 4-1 6-5 7-6", "0-3 3-0 4-0 5-4 6-4"),
    ("He likes the boy who is crying.", "他 喜欢 正在 哭 的 男孩 。", "0-0 1-1 3-5 4-4 6-3 7-6", "2-5 5-2 6-2"),
    ("Jack doesn't want to play football.", "杰克 不 想 踢 足球 。", "0-0 1-1 2-2 4-3 5-4 6-5", "3-2"),
    ("Mary wants Jerry to drink milk.", "玛丽 想 让 杰瑞 喝 牛奶 。", "0-0 1-1 2-3 4-4 5-5 6-6", "1-2 3-1 3-2"),
    ("It is hard to swim.", "游泳 很 难 。", "2-2 4-0 5-3", "1-1 2-1"),
    ("Mary sings when the boys run.", "男孩 们 跑步 的 时候 ， 玛丽 唱歌 。",
     "0-6 1-7 2-3 2-4 4-0 4-1 5-2 6-8", "2-5 3-0 3-1"),
    ("He misses Jack, but he doesn't miss Tom.", "他 想念 杰克 ， 但是 他 不 想念 汤姆 。",
     "0-0 1-1 2-2 3-3 4-4 5-5 6-6 7-7 8-8 9-9", ""),
    ("Tom says that Peter is wearing that shirt.", "汤姆 说 彼得 穿 着 那 件 衬衫 。",
     "0-0 1-1 3-2 5-3 6-5 7-7 8-8", "2-1 4-4 5-4 6-6 7-6"),
    ("This teacher is wearing glasses", "这 位 老师 戴 着 眼镜", "0-0 1-2 3-3 4-5", "0-1 1-1 2-4 3-4"),
    ("Jack missed the bus.", "杰克 错过 了 公共汽车 。", "0-0 1-1 1-2 3-3 4-4", "2-3"),
    ("Jack misses Lucy.", "杰克 想念 露西 。", "0-0 1-1 2-2 3-3", ""),
    ("This big bat is flying.", "这 只 大 蝙蝠 正在 飞 。", "0-0 1-2 2-3 4-5 5-6", "0-1 2-1 3-4 4-4"),
    ("Are they taking medicine?", "他们 正在 吃 药 吗 ？", "1-0 2-2 3-3 4-5", "0-1 0-4 2-1 4-4"),
    ("I saw that dog yesterday.", "我 昨天 看见 了 那 只 狗 。", "0-0 1-2 1-3 2-4 3-6 4-1 5-7", "2-5 3-5"),
    ("Peter made the cake last Sunday.", "彼得 上 个 星期天 做 了 蛋糕 。",
     "0-0 1-4 1-5 3-6 4-1 5-3 6-7", "2-6 4-2 5-2"),
    ("Lucy is wearing glasses now.", "露西 现在 戴 着 眼镜 。", "0-0 2-2 3-4 4-1 5-5", "1-3 2-3"),
    ("Is there a dog under the tree", "树 下 有 狗 吗", "3-3 4-1 6-0", "0-2 0-4 1-2 2-3 5-0"),
    ("This pen will be found by Mary", "这 支 笔 会 被 玛丽 找到", "0-0 1-2 2-3 4-6 6-5", "0-1 1-1 3-4 5-4"),
    ("After Peter swam, Tom danced.", "彼得 游泳 以后 ， 汤姆 跳舞 了 。", "0-2 1-0 2-1 3-3 4-4 5-5 5-6 6-7", ""),
    ("I go to the park to swim.", "我 去 公园 游泳 。", "0-0 1-1 4-2 6-3 7-4", "2-1 3-2"),
    ("The doctor found the bike that Lucy bought", "医生 找到 了 露西 买 的 自行车",
     "1-0 2-1 2-2 4-6 5-5 6-3 7-4", "0-0 3-6"),
    ("Was the window closed?", "窗户 被 关上 了 吗 ？", "2-0 3-2 3-3 4-5", "0-1 0-3 0-4 1-0 4-4"),
    ("I was chased by Tom this morning.", "我 今天 早上 被 汤姆 追 了 。",
     "0-0 2-5 2-6 4-4 5-1 6-2 7-7", "1-3 1-6 3-3"),
]  # fmt: skip


def links_of(text: str) -> frozenset[tuple[int, int]]:
    return frozenset((int(i), int(j)) for i, j in (link.split("-") for link in text.split()))


@pytest.mark.parametrize(("source", "target", "sure", "possible"), GOLDEN)
def test_each_phenomenon(pairs: list[PocketPair], source: str, target: str, sure: str, possible: str) -> None:
    pair = next(pair for pair in pairs if pair.source == source)
    assert " ".join(pair.target_words) == target
    assert pair.links == links_of(sure)
    assert pair.possible == links_of(possible)


def test_the_same_seed_gives_the_same_corpus_in_every_process(pairs: list[PocketPair]) -> None:
    assert corpus("english-chinese", seed=0) == pairs
    assert seeded(1) != pairs
    program = (
        "import hashlib\nfrom regard.data.pocket import corpus\n"
        "text = '\\n'.join(f'{p.part} {p.source} {p.target} {sorted(p.links)}' for p in corpus('english-chinese'))\n"
        "print(hashlib.sha256(text.encode()).hexdigest())"
    )
    # Sets of strings are ordered by PYTHONHASHSEED; nothing may depend on that.
    digests = {
        subprocess.run(
            [sys.executable, "-c", program],
            capture_output=True, text=True, check=True, env={**os.environ, "PYTHONHASHSEED": seed},
        ).stdout
        for seed in ("1", "2")
    }  # fmt: skip
    assert len(digests) == 1


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_parts_have_their_sizes_and_share_no_meaning(seed: int) -> None:
    pairs = seeded(seed)
    sizes = Counter(pair.part for pair in pairs)
    assert sizes == SIZES
    meanings = defaultdict(set)
    for pair in pairs:
        meanings[pair.target.rstrip("。？")].add(pair.part)
    assert all(len(parts) == 1 for parts in meanings.values())


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_every_source_has_one_translation_and_stands_once(seed: int) -> None:
    counts = Counter(pair.source for pair in seeded(seed))
    assert counts.most_common(1)[0][1] == 1


def test_the_two_held_sentences_are_test_sentences(pairs: list[PocketPair]) -> None:
    held = {pair.source: pair for pair in pairs if pair.target.rstrip("。") == "汤姆追杰瑞"}
    assert held["Tom chases Jerry."].target == "汤姆追杰瑞。"
    assert held["Tom chase Jerry"].target == "汤姆追杰瑞"
    assert {pair.part for pair in held.values()} == {"test"}


def test_learners_speak_in_training(pairs: list[PocketPair]) -> None:
    train = part_of(pairs, "train")
    without_mark = [pair for pair in train if pair.source[-1].isalpha()]
    assert 0.04 < len(without_mark) / len(train) < 0.09
    assert all(pair.target[-1] not in "。？" for pair in without_mark)
    names = {name.english for name in lexicon.NAMES}
    without_s = [pair for pair in train if pair.source_words[0] in names and pair.source_words[1] in ("chase", "help")]
    assert len(without_s) >= 5


def test_links_lie_within_the_words_and_surfaces_are_the_words(pairs: list[PocketPair]) -> None:
    for pair in pairs:
        assert join_english(pair.source_words) == pair.source
        assert "".join(pair.target_words) == pair.target
        assert " " not in pair.target
        linked = pair.links | pair.possible
        assert all(0 <= i < len(pair.source_words) and 0 <= j < len(pair.target_words) for i, j in linked)
        assert not pair.links & pair.possible
        # every Chinese word comes from somewhere
        assert {j for _, j in linked} == set(range(len(pair.target_words))), pair


def test_names_and_last_marks_are_linked_to_themselves(pairs: list[PocketPair]) -> None:
    names = {name.english: name.chinese for name in lexicon.NAMES}
    marks = {".": "。", "?": "？"}
    for pair in pairs:
        for i, word in enumerate(pair.source_words):
            if word in names or word in marks:
                linked = [pair.target_words[j] for source, j in sorted(pair.links) if source == i]
                assert linked == [names.get(word) or marks[word]], pair


def test_every_construction_is_there(pairs: list[PocketPair]) -> None:
    counts = Counter((pair.part, pair.template) for pair in pairs)
    assert all(counts["train", name] >= 10 for name in CONSTRUCTIONS)
    assert all(counts["templates", name] >= 30 for name in unseen.CONSTRUCTIONS)
    assert {pair.template for pair in part_of(pairs, "test")} <= set(CONSTRUCTIONS)
    assert not set(CONSTRUCTIONS) & set(unseen.CONSTRUCTIONS)


def test_words_are_few_and_frequent(pairs: list[PocketPair]) -> None:
    train = part_of(pairs, "train")
    forms = Counter(word.lower() for pair in train for word in pair.source_words)
    assert len(forms) < 310
    assert min(forms.values()) >= 5
    signs = Counter(word for pair in train for word in pair.target_words)
    assert min(signs.values()) >= 15
    known = {word for pair in train for word in pair.source_words}
    held_out = Counter(word in known for pair in pairs if pair.part != "train" for word in pair.source_words)
    assert held_out[False] == 0


def test_most_sentences_are_short(pairs: list[PocketPair]) -> None:
    lengths = sorted(len(pair.source_words) for pair in pairs)
    assert lengths[0] >= 2
    assert lengths[int(0.95 * len(lengths))] <= 12
    assert lengths[-1] <= 18


@pytest.mark.parametrize(
    ("english", "senses"),
    [
        ("play", {"踢", "打", "弹", "拉"}),
        ("bat", {"蝙蝠", "球棒"}),
        ("wearing", {"穿", "戴"}),
        ("opened", {"打开", "翻开"}),
        ("miss", {"想念", "错过"}),
        ("take", {"坐", "拍", "吃"}),
        ("know", {"认识", "知道"}),
        ("old", {"老", "旧"}),
        ("short", {"矮", "短"}),
        ("can", {"会", "能"}),
        ("with", {"和", "用"}),
        ("again", {"又", "再"}),
        ("her", {"她"}),
    ],
)
def test_context_resolves_ambiguous_words(pairs: list[PocketPair], english: str, senses: set[str]) -> None:
    found = Counter(
        pair.target_words[j]
        for pair in part_of(pairs, "train")
        for i, j in pair.links
        if pair.source_words[i] == english
    )
    assert senses <= {word for word, count in found.items() if count >= 10}


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_substitution_word_for_word_is_not_enough(seed: int) -> None:
    pairs = seeded(seed)
    assert 0.03 < word_for_word_accuracy(pairs) <= 0.20
    assert word_for_word_accuracy(pairs, "templates") <= 0.05


def test_what_substitution_gets_right_and_wrong(pairs: list[PocketPair]) -> None:
    outputs = {pair.source: output for pair, output in word_for_word(pairs).items()}
    assert outputs["Tom chases Jerry."] == "汤姆追杰瑞。"
    passive = next(pair for pair in part_of(pairs, "test") if pair.template == "passive")
    assert outputs[passive.source] != passive.target
    with pytest.raises(ValueError, match="measure it on 'dev'"):
        word_for_word_accuracy(pairs, "train")
    with pytest.raises(ValueError, match="no pair belongs to part 'dev'"):
        word_for_word_accuracy(part_of(pairs, "train"), "dev")


def test_characters_bear_the_links_of_their_word(pairs: list[PocketPair]) -> None:
    pair = by_character(next(pair for pair in pairs if pair.source == "Tom chases Jerry."))
    assert pair.target_words == ("汤", "姆", "追", "杰", "瑞", "。")
    assert pair.links == {(0, 0), (0, 1), (1, 2), (2, 3), (2, 4), (3, 5)}
    assert character_links(pair) == pair.links
    for each in pairs[:500]:
        spread = by_character(each)
        for i, j in spread.links | spread.possible:
            assert any(
                source == i and spread.target[j] in each.target_words[k] for source, k in each.links | each.possible
            )


def test_statistics_count_every_part(pairs: list[PocketPair]) -> None:
    counted = statistics(pairs)
    assert list(counted) == ["train", "dev", "test", "templates"]
    assert sum(part.pairs for part in counted.values()) == len(pairs)
    assert counted["test"].target_characters == sum(len(pair.target) for pair in part_of(pairs, "test"))
    assert counted["train"].monotone < 0.5
    assert counted["templates"].monotone < 0.05


def test_tsv(pairs: list[PocketPair], tmp_path: Path) -> None:
    path = tmp_path / "pairs.tsv"
    write_tsv(pairs[:3], path)
    assert path.read_bytes().decode() == "".join(f"{pair.source}\t{pair.target}\n" for pair in pairs[:3])


def test_an_unknown_corpus_is_named() -> None:
    with pytest.raises(ValueError, match="no pocket corpus 'english-chinse'; did you mean 'english-chinese'"):
        corpus("english-chinse")
