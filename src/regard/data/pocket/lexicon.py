"""The words of the English-Chinese pocket corpus: who there is, what there is, and what is done to what.

Which noun takes which classifier, adjective and verb is written here, so that the grammar never has a dog read a book.
A word with several senses has one entry for each; its company in the sentence tells them apart.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True)
class Noun:
    """`adjectives` are those it may bear; "" for `plural` or `classifier` where it is never counted."""

    english: str
    chinese: str
    classifier: str = ""
    plural: str = ""
    adjectives: tuple[str, ...] = ()


@dataclass(frozen=True)
class Name:
    english: str
    chinese: str


@dataclass(frozen=True)
class Pronoun:
    """A personal pronoun; `agreement` is the subject that the verb agrees with."""

    subject: str
    object: str
    chinese: str
    agreement: Literal["he", "I", "they"]


NAMES = (
    Name("Tom", "汤姆"),
    Name("Jerry", "杰瑞"),
    Name("Jack", "杰克"),
    Name("Peter", "彼得"),
    Name("Mary", "玛丽"),
    Name("Anna", "安娜"),
    Name("Lucy", "露西"),
    Name("Lily", "莉莉"),
)
PRONOUNS = (
    Pronoun("I", "me", "我", "I"),
    Pronoun("he", "him", "他", "he"),
    Pronoun("she", "her", "她", "he"),
    Pronoun("we", "us", "我们", "they"),
    Pronoun("they", "them", "他们", "they"),
)
POSSESSIVES = {"my": "我", "his": "他", "her": "她"}

ADJECTIVES = {"big": "大", "small": "小", "black": "黑", "white": "白", "red": "红", "new": "新"}
# "old" is 老 of a being and 旧 of a thing, "short" 矮 of a person and 短 of a thing.

PEOPLE = (
    Noun("boy", "男孩", "个", "boys"),
    Noun("girl", "女孩", "个", "girls"),
    Noun("teacher", "老师", "位"),
    Noun("doctor", "医生", "位"),
)
FRIEND = Noun("friend", "朋友", "个")

_COLOURS = ("black", "white")
CAT = Noun("cat", "猫", "只", "cats", ("big", "small", *_COLOURS, "old"))
DOG = Noun("dog", "狗", "只", "dogs", ("big", "small", *_COLOURS, "old"))
MOUSE = Noun("mouse", "老鼠", "只", "", ("big", "small", *_COLOURS))
BIRD = Noun("bird", "鸟", "只", "birds", ("big", "small", *_COLOURS, "red"))
HORSE = Noun("horse", "马", "匹", "horses", ("big", "small", *_COLOURS, "old"))
BAT = Noun("bat", "蝙蝠", "只", "", ("big", "small", "black"))
CLUB = Noun("bat", "球棒", "根", "", ("new", "old"))

BOOK = Noun("book", "书", "本", "books", ("new", "old", "red"))
LETTER = Noun("letter", "信", "封", "letters")
APPLE = Noun("apple", "苹果", "个", "apples", ("big", "small", "red"))
CAKE = Noun("cake", "蛋糕", "个", "", ("big", "small"))
FISH = Noun("fish", "鱼", "条", "", ("big", "small", "black"))
HAT = Noun("hat", "帽子", "顶", "hats", ("new", "old", "red", *_COLOURS))
SHIRT = Noun("shirt", "衬衫", "件", "", ("new", "old", "red", *_COLOURS))
COAT = Noun("coat", "大衣", "件", "", ("new", "old", "red", *_COLOURS))
CAR = Noun("car", "汽车", "辆", "cars", ("new", "old", "red", *_COLOURS))
UMBRELLA = Noun("umbrella", "雨伞", "把", "", ("new", "old", "red", *_COLOURS))
PHOTO = Noun("photo", "照片", "张", "photos")
BIKE = Noun("bike", "自行车", "辆", "", ("new", "old", "red", *_COLOURS))
PEN = Noun("pen", "笔", "支", "", ("new", "old", "red", "black"))
KEY = Noun("key", "钥匙", "把", "", ("new", "old"))
DOOR = Noun("door", "门", "扇")
WINDOW = Noun("window", "窗户", "扇")

FOOTBALL, BASKETBALL, BASEBALL = Noun("football", "足球"), Noun("basketball", "篮球"), Noun("baseball", "棒球")
PIANO, VIOLIN = Noun("piano", "钢琴"), Noun("violin", "小提琴")
BREAKFAST, NOODLES, TEA = Noun("breakfast", "早饭"), Noun("noodles", "面条"), Noun("tea", "茶")
MILK, GLASSES = Noun("milk", "牛奶"), Noun("glasses", "眼镜")
MEDICINE, BUS, ANSWER = Noun("medicine", "药"), Noun("bus", "公共汽车"), Noun("answer", "答案")
MUSEUM, SCHOOL = Noun("museum", "博物馆"), Noun("school", "学校")

ANIMALS = (CAT, DOG, MOUSE, BIRD, HORSE)
PREY = (CAT, DOG, MOUSE, BIRD, BAT)


@dataclass(frozen=True)
class Verb:
    """The English forms of a verb and the particle that follows it, if any."""

    base: str
    third: str
    past: str
    participle: str
    ing: str
    particle: str = ""


def _regular(base: str, particle: str = "") -> Verb:
    stem = base.removesuffix("e")
    third = base + ("es" if base.endswith(("sh", "ch", "ss")) else "s")
    return Verb(base, third, stem + "ed", stem + "ed", stem + "ing", particle)


def _irregular(forms: str) -> Verb:
    return Verb(*forms.split())


_WEAR = _irregular("wear wears wore worn wearing")
_PLAY, _OPEN, _CLOSE = _regular("play"), _regular("open"), _regular("close")
_TAKE = _irregular("take takes took taken taking")
_WRITE = _irregular("write writes wrote written writing")
_EAT = _irregular("eat eats ate eaten eating")
_KNOW = _irregular("know knows knew known knowing")

Who = Literal["person", "animate", "animal", "flier"]
Kind = Literal["activity", "state", "result", "mishap", "dress"]
Objects = Literal["none", "beings", "people", "things", "fixed"]


@dataclass(frozen=True)
class Deed:
    """A verb in one of its senses, with all that the sense asks for.

    `kind` says which tenses Chinese lets it bear: an activity bears all, a state the present alone, a result such as
    找到 never the progressive; nobody wants a mishap; clothes are worn with 着. `things` are countable objects, `fixed`
    ones stand as they are.
    """

    verb: Verb
    chinese: str
    who: Who
    kind: Kind
    objects: Objects = "none"
    things: tuple[Noun, ...] = ()
    passive: bool = False
    places: tuple[str, ...] = ()
    social: bool = False  # may be done with somebody


_OUTSIDE = ("park", "garden")
_QUIET = ("library", "home", "garden", "park")

# Most objects are met with several verbs, and most verbs with several objects: of two words that are only ever met
# together nobody could learn which is which.
DEEDS = (
    Deed(_regular("chase"), "追", "animate", "activity", "beings", PREY, True, (*_OUTSIDE, "kitchen")),
    Deed(_regular("help"), "帮助", "person", "activity", "people", (), False, ("school", "library", "kitchen")),
    Deed(_irregular("see sees saw seen seeing"), "看见", "animate", "result", "beings", ANIMALS, True, _OUTSIDE),
    Deed(_irregular("find finds found found finding"), "找到", "person", "result", "things",
         (CAT, DOG, BOOK, LETTER, HAT, UMBRELLA), True, (*_OUTSIDE, "kitchen")),
    Deed(_irregular("catch catches caught caught catching"), "抓住", "animate", "result", "beings", PREY,
         True, _OUTSIDE),
    Deed(_regular("like"), "喜欢", "person", "state", "beings", (CAT, DOG, HORSE, BOOK, HAT, CAR)),
    Deed(_KNOW, "认识", "person", "state", "people"),
    Deed(_KNOW, "知道", "person", "state", "fixed", (ANSWER,)),
    Deed(_regular("miss"), "想念", "person", "state", "people"),
    Deed(_regular("miss"), "错过", "person", "mishap", "fixed", (BUS,)),
    Deed(_EAT, "吃", "person", "activity", "things", (APPLE, CAKE, FISH), True, ("kitchen", "park", "home"), True),
    Deed(_EAT, "吃", "person", "activity", "fixed", (NOODLES,), False, ("kitchen", "school", "home"), True),
    Deed(_irregular("have has had had having"), "吃", "person", "activity", "fixed", (BREAKFAST,), False,
         ("kitchen", "school", "home"), True),
    Deed(_irregular("drink drinks drank drunk drinking"), "喝", "person", "activity", "fixed", (TEA, MILK), False,
         ("kitchen", "garden", "home"), True),
    Deed(_irregular("buy buys bought bought buying"), "买", "person", "activity", "things",
         (BOOK, HAT, SHIRT, COAT, CAR, UMBRELLA, CAKE, CLUB)),
    Deed(_irregular("read reads read read reading"), "读", "person", "activity", "things", (BOOK, LETTER),
         False, _QUIET),
    Deed(_WRITE, "写", "person", "activity", "things",
         (LETTER, BOOK), False, _QUIET),
    Deed(_regular("wash"), "洗", "person", "activity", "things", (CAR, SHIRT, COAT, DOG, APPLE), True,
         ("garden", "home")),
    Deed(_PLAY, "踢", "person", "activity", "fixed", (FOOTBALL,), False, ("park", "school"), True),
    Deed(_PLAY, "打", "person", "activity", "fixed", (BASKETBALL,), False, ("park", "school"), True),
    Deed(_PLAY, "弹", "person", "activity", "fixed", (PIANO,), False, ("home", "school"), True),
    Deed(_PLAY, "拉", "person", "activity", "fixed", (VIOLIN,), False, ("home", "school", "park"), True),
    Deed(_WEAR, "戴", "person", "dress", "things", (HAT,)),
    Deed(_WEAR, "戴", "person", "dress", "fixed", (GLASSES,)),
    Deed(_WEAR, "穿", "person", "dress", "things", (SHIRT, COAT)),
    Deed(_OPEN, "打开", "person", "result", "fixed", (DOOR, WINDOW), True),
    Deed(_OPEN, "翻开", "person", "result", "things", (BOOK,), True),
    Deed(_CLOSE, "关上", "person", "result", "fixed", (DOOR, WINDOW), True),
    Deed(_CLOSE, "合上", "person", "result", "things", (BOOK,), True),
    Deed(_regular("visit"), "看望", "person", "activity", "people"),
    Deed(_regular("visit"), "参观", "person", "activity", "fixed", (MUSEUM, SCHOOL), social=True),
    Deed(_TAKE, "坐", "person", "activity", "fixed", (BUS,), social=True),
    Deed(_TAKE, "拍", "person", "activity", "things", (PHOTO,), False, ("park", "garden", "school", "museum")),
    Deed(_TAKE, "吃", "person", "activity", "fixed", (MEDICINE,), False, ("home", "school")),
    Deed(_regular("look", "for"), "找", "person", "activity", "things", (CAT, DOG, BOOK, HAT, UMBRELLA),
         False, (*_OUTSIDE, "kitchen")),
    Deed(_regular("look", "at"), "看", "person", "activity", "things", (PHOTO, BIRD, HORSE, CAR)),
    Deed(_regular("wait", "for"), "等", "person", "activity", "people", (), False,
         ("park", "school", "home", "library", "museum")),
    Deed(_irregular("sleep sleeps slept slept sleeping"), "睡觉", "animate", "activity",
         places=("garden", "home", "tree")),
    Deed(_irregular("swim swims swam swum swimming"), "游泳", "person", "activity", social=True),
    Deed(_irregular("sing sings sang sung singing"), "唱歌", "person", "activity",
         places=("park", "school", "garden", "home"), social=True),
    Deed(_regular("dance"), "跳舞", "person", "activity", places=("park", "school", "garden", "tree"), social=True),
    Deed(_irregular("run runs ran run running"), "跑步", "person", "activity", places=("park", "school"), social=True),
    Deed(_irregular("cry cries cried cried crying"), "哭", "person", "activity",
         places=("kitchen", "garden", "home", "tree")),
    Deed(_irregular("fly flies flew flown flying"), "飞", "flier", "activity"),
    Deed(_regular("like"), "喜欢", "person", "state", "fixed", (FOOTBALL, BASKETBALL, BASEBALL, TEA, MILK, NOODLES)),
    Deed(_regular("learn"), "学", "person", "activity", "fixed", (FOOTBALL, BASKETBALL, PIANO, VIOLIN), False,
         ("school", "home"), True),
    Deed(_regular("wait", "for"), "等", "person", "activity", "fixed", (BUS,), social=True),
    Deed(_irregular("buy buys bought bought buying"), "买", "person", "activity", "fixed",
         (TEA, MILK, MEDICINE, BREAKFAST, NOODLES), social=True),
    Deed(_irregular("buy buys bought bought buying"), "买", "person", "activity", "things", (BIKE, PEN)),
    Deed(_irregular("make makes made made making"), "做", "person", "activity", "fixed", (BREAKFAST, NOODLES), False,
         ("home", "kitchen"), True),
    Deed(_irregular("make makes made made making"), "做", "person", "activity", "things", (CAKE,), False,
         ("home", "kitchen")),
    Deed(_irregular("find finds found found finding"), "找到", "person", "result", "things", (BIKE, KEY, PEN), True),
    Deed(_irregular("find finds found found finding"), "找到", "person", "result", "fixed",
         (GLASSES, MEDICINE, ANSWER)),
    Deed(_regular("wash"), "洗", "person", "activity", "fixed", (DOOR, WINDOW)),
    Deed(_WRITE, "写", "person", "activity", "fixed", (ANSWER,), False, _QUIET),
)  # fmt: skip

# Where something is done or is: English words, Chinese words, aligned by the marks of `phrase.weave`.
PLACES = {
    "park": ("in=a the~n park=n", "在=a 公园=n 里~a"),
    "garden": ("in=a the~n garden=n", "在=a 花园=n 里~a"),
    "kitchen": ("in=a the~n kitchen=n", "在=a 厨房=n 里~a"),
    "library": ("in=a the~n library=n", "在=a 图书馆=n 里~a"),
    "school": ("at=a school=n", "在=a 学校=n"),
    "home": ("at=a home=n", "在=a 家=n"),
    "museum": ("at=a the~n museum=n", "在=a 博物馆=n"),
    "tree": ("under=b the~n tree=n", "在~b 树=n 下=b"),
}
SPOTS = {
    "table": ("on=b the~n table=n", "桌子=n 上=b"),
    "chair": ("on=b the~n chair=n", "椅子=n 上=b"),
    "under the table": ("under=b the~n table=n", "桌子=n 下=b"),
    "under the chair": ("under=b the~n chair=n", "椅子=n 下=b"),
    "tree": ("under=b the~n tree=n", "树=n 下=b"),
    "in the tree": ("in=b the~n tree=n", "树=n 上=b"),
    "garden": ("in=b the~n garden=n", "花园=n 里=b"),
    "kitchen": ("in=b the~n kitchen=n", "厨房=n 里=b"),
}

PAST_TIMES = (
    ("yesterday=a", "昨天=a"),
    ("last=a Sunday=b", "上=a 个~ab 星期天=b"),
    ("this=a morning=b", "今天=a 早上=b"),
    ("yesterday=a morning=b", "昨天=a 早上=b"),
)
FUTURE_TIMES = (
    ("tomorrow=a", "明天=a"),
    ("tomorrow=a morning=b", "明天=a 早上=b"),
    ("today=a", "今天=a"),
    ("next=a Sunday=b", "下=a 个~ab 星期天=b"),
)
HABITUAL_TIMES = (
    ("every=a day=b", "每=a 天=b"),
    ("every=a Sunday=b", "每=a 个~ab 星期天=b"),
)
NOW = ("now=a", "现在=a")
NEVER = ("never=a", "从不=a")
FREQUENCIES = (("often=a", "经常=a"), ("always=a", "总是=a"), NEVER, ("usually=a", "通常=a"))

# What is done with a tool, and the tool.
TOOLS = (
    (Deed(_EAT, "吃", "person", "activity", "fixed", (NOODLES,)), ("with=a chopsticks=b", "用=a 筷子=b")),
    (Deed(_WRITE, "写", "person", "activity", "things", (LETTER,)), ("with=a a~b pen=b", "用=a 笔=b")),
    (Deed(_OPEN, "打开", "person", "result", "fixed", (DOOR,)), ("with=a the~b key=b", "用=a 钥匙=b")),
    (Deed(_PLAY, "打", "person", "activity", "fixed", (BASEBALL,)), ("with=a a~b bat=b", "用=a 球棒=b")),
)
# What is done well or fast: the English verb in the third person and its base, how, the Chinese verb and how.
SKILLS = (
    ("sings", "sing", "well", "唱", "好"),
    ("dances", "dance", "well", "跳", "好"),
    ("swims", "swim", "fast", "游", "快"),
    ("runs", "run", "fast", "跑", "快"),
)
