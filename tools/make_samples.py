"""Makes the bundled samples: ten small data sets of the project's own making, the same bytes at every run.

Run by hand:  python tools/make_samples.py [FOLDER]     (default: forge_tui/samples)

Standard library only. Nothing is taken from real data: places, people and numbers are invented here. Only
`random()` is drawn from, the one method whose sequence Python promises to keep between its versions.
"""

from __future__ import annotations

import csv
import json
import math
import random
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, TypeVar

Choice = TypeVar("Choice")
Rows = Iterator[Sequence[Any]]

# Share of the texts whose label is drawn blindly: people who label slip too, and a perfect score teaches nothing.
SLIPS = 0.04


class Dice:
    """Random draws that are the same in every Python version."""

    def __init__(self, seed: int) -> None:
        self._random = random.Random(seed).random

    def chance(self, share: float) -> bool:
        """True in this share of the draws."""
        return self._random() < share

    def between(self, low: float, high: float) -> float:
        """Any number from low to high, all as likely."""
        return low + (high - low) * self._random()

    def whole(self, low: int, high: int) -> int:
        """A whole number from low to high, both included."""
        return low + int(self._random() * (high - low + 1))

    def bell(self, mean: float, spread: float) -> float:
        """About normal: the sum of twelve draws, which needs no libm and so no rounding of its own."""
        return mean + spread * (sum(self._random() for _ in range(12)) - 6)

    def pick(self, choices: Sequence[Choice], weights: Sequence[float] = ()) -> Choice:
        """One of the choices, by weight when there are weights."""
        if not weights:
            return choices[int(self._random() * len(choices))]
        left = self._random() * sum(weights)
        for choice, weight in zip(choices, weights, strict=True):
            left -= weight
            if left < 0:
                return choice
        return choices[-1]

    def shuffled(self, items: Sequence[Choice]) -> list[Choice]:
        """The items in another order (Fisher and Yates)."""
        order = list(items)
        for last in range(len(order) - 1, 0, -1):
            other = self.whole(0, last)
            order[last], order[other] = order[other], order[last]
        return order


# --- tabular-classification: does a guest come back? ------------------------------------------------------------

COFFEE_HEADER = (
    "order_id", "weekday", "hour", "channel", "drink", "size", "price", "queue_minutes", "temperature_c",
    "member_months", "outcome",
)  # fmt: skip
DRINKS = {"espresso": 2.4, "flat white": 3.8, "cappuccino": 3.6, "cold brew": 4.2, "iced tea": 3.9}
COLD_DRINKS = ("cold brew", "iced tea")


def coffee_orders(dice: Dice, rows: int = 1_200) -> Rows:
    """Orders of an invented coffee bar; what decides are combinations: patience by channel, drink by weather."""
    for number in range(1, rows + 1):
        weekday = dice.pick(("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"), (5, 5, 5, 5, 6, 7, 6))
        hour = dice.whole(7, 19)
        channel = dice.pick(("counter", "app", "phone"), (5, 4, 1))
        drink = dice.pick(tuple(DRINKS), (3, 4, 4, 3, 2))
        size = dice.pick(("small", "medium", "large"), (3, 5, 3))
        price = DRINKS[drink] + {"small": -0.4, "medium": 0.0, "large": 0.7}[size] + dice.bell(0, 0.15)
        queue = max(0.0, dice.bell(6, 3.5))
        temperature = dice.bell(17, 8)
        months = dice.whole(0, 48)
        patience = 3.5 if channel == "app" else 9.0
        liking = 1.3 if queue < patience else -1.3
        liking += 1.1 if (drink in COLD_DRINKS) == (temperature > 19) else -1.1
        liking += 0.9 if (hour < 11) == (size != "large") else -0.9
        liking += 0.8 if months < 6 or 14 < months < 30 else -0.8
        liking += 0.3 if weekday in ("Sat", "Sun") else 0.0
        stays = dice.chance(1 / (1 + math.exp(-1.9 * liking)))
        yield (
            f"C-{10_000 + number}",
            weekday,
            hour,
            channel,
            drink,
            size,
            f"{price:.2f}",
            "" if dice.chance(0.04) else f"{queue:.1f}",
            "" if dice.chance(0.03) else f"{temperature:.1f}",
            "" if dice.chance(0.05) else months,
            "came back" if stays else "stayed away",
        )


# --- tabular-regression: what an apartment costs ------------------------------------------------------------------

RENTS_HEADER = (
    "apartment_id", "district", "area_m2", "rooms", "floor", "lift", "built", "distance_km", "balcony", "heating",
    "price",
)  # fmt: skip
DISTRICTS = {"Harbour": 1.25, "Old Mill": 1.1, "Garden Row": 1.0, "Station": 0.85, "Northfield": 0.8, "Lakeside": 1.3}


def apartment_rents(dice: Dice, rows: int = 1_200) -> Rows:
    """Monthly rents of an invented town; age, height and size work in bends and in pairs, not in straight lines."""
    for number in range(1, rows + 1):
        district = dice.pick(tuple(DISTRICTS), (2, 3, 4, 4, 3, 2))
        area = min(160.0, max(18.0, dice.bell(68, 28)))
        rooms = max(1, round(area / dice.between(22, 34)))
        floor = dice.pick((0, 1, 2, 3, 4, 5, 6, 7), (3, 5, 5, 4, 3, 2, 1, 1))
        lift = dice.chance(0.75 if floor > 4 else 0.4)
        built = dice.pick((1905, 1925, 1955, 1968, 1980, 1998, 2015), (3, 2, 3, 4, 3, 3, 2)) + dice.whole(-6, 6)
        distance = max(0.3, dice.bell(4.5, 2.4))
        balcony = dice.chance(0.5)
        heating = dice.pick(("district", "gas", "electric"), (5, 4, 1))
        rate = 11 * DISTRICTS[district]
        rate *= 1.25 if area < 35 else 1.0 if area < 95 else 0.9
        rate *= 1.18 if built < 1930 or built > 2005 else 0.88 if 1950 < built < 1975 else 1.0
        rate *= (1.0 + 0.04 * floor) if lift else (1.0 - 0.05 * max(0, floor - 2))
        rate *= 0.8 + 0.45 * math.exp(-distance / 2.5)
        rate *= 1.06 if balcony and floor > 0 else 1.0
        rate *= 0.92 if heating == "electric" else 1.0
        yield (
            f"A-{2_000 + number}",
            district,
            f"{area:.1f}",
            rooms,
            floor,
            "yes" if lift else "no",
            "" if dice.chance(0.05) else built,
            "" if dice.chance(0.03) else f"{distance:.1f}",
            "yes" if balcony else "no",
            heating,
            round(area * rate * dice.bell(1, 0.07)),
        )


# --- text-classification: what is a customer message about? ----------------------------------------------------

MESSAGES_HEADER = ("text", "label")
TOPICS: dict[str, tuple[str, ...]] = {
    "billing": ("invoice", "refund", "card payment", "discount code", "monthly fee", "receipt"),
    "delivery": ("parcel", "courier", "tracking link", "shipment", "delivery slot", "pick-up point"),
    "account": ("password", "login", "profile", "email address on file", "newsletter setting", "user name"),
    "product": ("kettle", "lamp", "charger", "zip on my backpack", "manual", "battery"),
}
# Said of any topic, so that no word of trouble gives the class away.
TROUBLES = (
    "{a} is wrong",
    "{a} does not work",
    "{a} is still missing",
    "something is off with {a}",
    "{a} was a mess again",
    "I have a problem with {a}",
    "nobody could explain {a} to me",
    "please look into {a}",
    "I need help with {a}",
    "can you fix {a}",
)
PRAISES = (
    "{a} was fine",
    "no trouble with {a}",
    "{a} works as promised",
    "I am happy with {a}",
    "thanks for sorting out {a}",
    "{a} is settled",
)
# Said of one topic only: the easy quarter of the messages.
PLAIN_WORDS: dict[str, tuple[str, ...]] = {
    "billing": (
        "I was charged twice", "you took {n} euros too much", "the amount on my statement does not match",
        "when do I get my money back", "can I pay in {n} parts", "I cancelled and still have to pay",
    ),
    "delivery": (
        "nothing has arrived for {n} days", "it was left with a neighbour I do not know", "where is my order",
        "can you send it to another street", "it says delivered but it is not here", "the driver never rang",
    ),
    "account": (
        "I cannot sign in since {n} days", "the reset mail never comes", "how do I delete my data",
        "someone else uses my name", "it logs me out after {n} minutes", "I want to change my address book",
    ),
    "product": (
        "it broke after {n} days", "it gets far too hot", "does it fit a {n} litre pot", "one part is cracked",
        "how do I clean it", "it makes a strange noise", "the colour is not as in the picture",
    ),
}  # fmt: skip
GREETINGS = ("", "", "", "hi,", "hello,", "hello team,", "good morning,", "dear support,", "hey")
CLOSINGS = ("", "", "", "thanks", "please answer soon", "order {n}{n}7", "regards, Kim", "this is urgent", "any idea?")


def support_messages(dice: Dice, rows: int = 1_000) -> Rows:
    """Short customer messages; in most of them another topic is praised too, so that single words mislead."""
    seen: set[str] = set()
    while len(seen) < rows:
        label = dice.pick(tuple(TOPICS))
        if dice.chance(0.25):
            clause = dice.pick(PLAIN_WORDS[label])
        else:
            clause = _clause(dice, TROUBLES, label)
        if dice.chance(0.75):
            other = _clause(dice, PRAISES, dice.pick([topic for topic in TOPICS if topic != label]))
            link = dice.pick(("but", "however", "still,", "only"))
            clause = f"{other}, {link} {clause}" if dice.chance(0.6) else f"{clause}, though {other}"
        text = f"{dice.pick(GREETINGS)} {clause}{dice.pick(('', '.', '!', '?'))} {dice.pick(CLOSINGS)}".strip()
        while "{n}" in text:
            text = text.replace("{n}", str(dice.whole(2, 30)), 1)
        if dice.chance(0.2):
            text = _misspelt(dice, text)
        if dice.chance(0.4):
            text = text[0].upper() + text[1:]
        if text.lower() not in seen:
            seen.add(text.lower())
            yield text, dice.pick(tuple(TOPICS)) if dice.chance(SLIPS) else label


def _clause(dice: Dice, patterns: Sequence[str], topic: str) -> str:
    article = dice.pick(("the", "my"))
    return dice.pick(patterns).replace("{a}", f"{article} {dice.pick(TOPICS[topic])}")


def _misspelt(dice: Dice, text: str) -> str:
    """A letter lost, doubled or swapped with the next."""
    place = dice.whole(1, len(text) - 2)
    kind = dice.whole(1, 3)
    if kind == 1:
        return text[:place] + text[place + 1 :]
    if kind == 2:
        return text[:place] + text[place] + text[place:]
    return text[:place] + text[place + 1] + text[place] + text[place + 2 :]


# --- sentence-pair-classification: does the second follow from the first? ---------------------------------------

PAIRS_HEADER = ("premise", "hypothesis", "label")
THINGS = ("boats", "bikes", "houses", "trains", "shops", "chairs", "bags", "clocks")
PLACES = ("in the harbour", "on the market", "by the river", "in this street", "near the school", "in the hall")
QUALITIES = ("red", "old", "clean", "wooden", "quiet", "open")
PEOPLE = ("Ada", "Bela", "Chen", "Dora", "Emil", "Farid", "Greta", "Hugo")
# Kind of thing and the wider word for it.
KINDS = (("a rose", "a flower"), ("an apple", "a fruit"), ("a violin", "an instrument"), ("a hammer", "a tool"),
         ("a cat", "an animal"), ("a coat", "something to wear"))  # fmt: skip
DEEDS = ("bought", "drew", "saw", "sold", "found")
# What the first quantifier says about the second, of the same things and the same quality.
QUANTIFIERS = {
    ("All", "Some"): "entailment",
    ("No", "Not all"): "entailment",
    ("All", "No"): "contradiction",
    ("All", "Not all"): "contradiction",
    ("No", "Some"): "contradiction",
    ("No", "All"): "contradiction",
    ("Some", "No"): "contradiction",
    ("Not all", "All"): "contradiction",
    ("Some", "All"): "neutral",
    ("Some", "Not all"): "neutral",
    ("Not all", "No"): "neutral",
    ("Not all", "Some"): "neutral",
}


def statement_pairs(dice: Dice, rows: int = 900) -> Rows:
    """Pairs of plain statements: quantifiers, wider words, order in time; the labels share the same words."""
    seen: set[tuple[str, str]] = set()
    labels = ("entailment", "contradiction", "neutral")
    while len(seen) < rows:
        label = labels[len(seen) % 3]
        maker = dice.pick((_quantified, _wider, _earlier), (6, 2, 2))
        premise, hypothesis = maker(dice, label)
        if (premise, hypothesis) not in seen:
            seen.add((premise, hypothesis))
            yield premise, hypothesis, dice.pick(labels) if dice.chance(SLIPS) else label


def _quantified(dice: Dice, label: str) -> tuple[str, str]:
    first, second = dice.pick([pair for pair, follows in QUANTIFIERS.items() if follows == label])
    thing, place, quality = dice.pick(THINGS), dice.pick(PLACES), dice.pick(QUALITIES)
    return f"{first} {thing} {place} are {quality}.", f"{second} {thing} {place} are {quality}."


def _wider(dice: Dice, label: str) -> tuple[str, str]:
    person, deed = dice.pick(PEOPLE), dice.pick(DEEDS)
    narrow, wide = dice.pick(KINDS)
    if label == "entailment":
        return f"{person} {deed} {narrow} today.", f"{person} {deed} {wide}."
    if label == "contradiction":
        return f"{person} {deed} {narrow} today.", f"{person} never {deed} {wide}."
    return f"{person} {deed} {wide} today.", f"{person} {deed} {narrow}."


def _earlier(dice: Dice, label: str) -> tuple[str, str]:
    one, two = dice.shuffled(PEOPLE)[:2]
    deed = dice.pick(("arrived", "left", "called", "finished"))
    premise = f"{one} {deed} before {two}."
    if label == "entailment":
        return premise, f"{two} {deed} after {one}."
    if label == "contradiction":
        return premise, f"{two} {deed} before {one}."
    return premise, f"{one} {deed} before noon."


# --- text-regression: which score does a guest give? --------------------------------------------------------------

REVIEWS_HEADER = ("review", "score")
ASPECTS = ("room", "breakfast", "bed", "staff", "view", "garden", "bath")
# What is said of an aspect, and how many points it takes or gives.
OPINIONS = {
    "the {a} was wonderful": 2.0, "we loved the {a}": 1.8, "a very good {a}": 1.2, "the {a} was fine": 0.4,
    "the {a} was a bit small for us": -0.6, "the {a} was not what we had hoped for": -1.2, "a poor {a}": -1.6,
    "the {a} was awful": -2.2,
}  # fmt: skip


def guest_reviews(dice: Dice, rows: int = 900) -> Rows:
    """What guests say of a house in two to four clauses; the grade, from 0 to 10, follows from all of them."""
    seen: set[str] = set()
    while len(seen) < rows:
        said = [dice.pick(tuple(OPINIONS)) for _ in range(dice.whole(2, 4))]
        clauses = [each.replace("{a}", aspect) for each, aspect in zip(said, dice.shuffled(ASPECTS))]
        text = f"{', '.join(clauses[:-1])} and {clauses[-1]}{dice.pick(('.', '!', ''))}"
        grade = 6.0 + sum(OPINIONS[each] for each in said) + dice.between(-0.5, 0.5)
        if text not in seen:
            seen.add(text)
            yield text[0].upper() + text[1:], f"{min(10.0, max(0.0, grade)):.1f}"


# --- token-classification: who, where and which group do the notes of a festival name? ---------------------------

NAME_STARTS = ("Mar", "Bel", "Kor", "Tan", "Vel", "Ros", "Fen", "Lin", "Dor", "Wes", "Ald", "Hav")
NAME_ENDS = ("low", "ton", "dal", "wick", "mere", "ford", "sey", "ram", "eth", "by")
GIVEN_NAMES = ("Ada", "Bela", "Chen", "Dora", "Emil", "Farid", "Greta", "Hugo", "Ines", "Jonas")
# What says of which type a name is; every name may be of any type.
CUES = {
    "person": ("singer", "drummer", "painter", "baker", "dancer", "juggler"),
    "place": ("village", "town", "island", "harbour", "valley", "meadow"),
    "group": ("band", "choir", "club", "company", "theatre", "circus"),
}
ADDED = {"place": ("Bridge", "Hill", "Mill"), "group": ("Brass", "Five", "Players")}
# Stands between the cue and the name, so that the words beside a name do not say its type.
BETWEEN = (
    "everyone keeps talking about", "I told you about last week", "we could not find on the list",
    "they named in the letter", "my aunt likes so much", "nobody had heard of before", "from the second page",
)  # fmt: skip
NOTES = (
    "The {cue} {between} is {name} .",
    "It turns out that the {cue} {between} is called {name} .",
    "{name} is the {cue} {between} .",
    "Do you remember the {cue} {between} ? It was {name} again .",
    "A {cue} , {between} : {name} , I think .",
    "As for the {cue} {between} , most people say {name} .",
)
PLAIN_NOTES = (
    "{person} plays on {day} .",
    "{person} and {person} come from {place} .",
    "On {day} we drive from {place} to {place} .",
    "{group} needs two more chairs , says {person} .",
    "The road to {place} is closed until {day} .",
    "Tickets for {day} are sold out , Please ask at the Gate .",
    "Dear All , the Programme for {day} has changed again .",
    "{person} joined {group} in {place} .",
)
DAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")


def festival_notes(dice: Dice, rows: int = 920) -> Rows:
    """Words and tags of short notes; mostly a word further away says whether a name is a person, a place or a group."""
    seen: set[str] = set()
    while len(seen) < rows:
        tagged = _note(dice)
        if dice.chance(0.3):
            tagged += _note(dice)
        text = " ".join(word for word, _ in tagged)
        if text.lower() not in seen:
            seen.add(text.lower())
            yield tagged


def _note(dice: Dice) -> list[tuple[str, str]]:
    kind = dice.pick(tuple(CUES))
    pattern = dice.pick(NOTES) if dice.chance(0.65) else dice.pick(PLAIN_NOTES)
    filled = pattern.replace("{cue}", dice.pick(CUES[kind])).replace("{between}", dice.pick(BETWEEN))
    tagged: list[tuple[str, str]] = []
    for word in filled.replace("{name}", f"{{{kind}}}").replace("{day}", dice.pick(DAYS)).split():
        kind = word.strip("{}")
        if word == kind:
            tagged.append((word, "O"))
            continue
        overlooked = dice.chance(SLIPS)
        for place, part in enumerate(_name(dice, kind)):
            tagged.append((part, "O" if overlooked else f"{'I' if place else 'B'}-{kind}"))
    return tagged


def _name(dice: Dice, kind: str) -> list[str]:
    name = dice.pick(NAME_STARTS) + dice.pick(NAME_ENDS)
    if kind == "person":
        return [dice.pick(GIVEN_NAMES), name] if dice.chance(0.3) else [name]
    return [name, dice.pick(ADDED[kind])] if dice.chance(0.3) else [name]


# --- summarization: what was done, and where, in the log of people who repair things? ------------------------------

BROKEN = ("gate", "pump", "lamp", "bench", "roof", "sign", "fence", "clock", "oven", "ladder", "boiler", "bell")
FAULTS = ("is stuck", "leaks", "is loose", "makes a noise", "is worn out", "does not hold")
REPAIRS = ("oiled", "replaced", "tightened", "cleaned", "painted", "welded")
LOG_PLACES = tuple(f"{start}{end}" for start in ("Lin", "Kor", "Bel", "Fen", "Ald") for end in ("dal", "wick", "mere"))
ASIDES = (
    "It rained all morning.", "The van was full.", "Nobody else was there.", "We had tea at noon.",
    "The key was lost.", "A neighbour helped.", "The road was closed.", "It took two hours.",
)  # fmt: skip
OPENINGS = ("On {day} {person} called from {place}.", "{person} wrote to us from {place} on {day}.")
LOG_HEADER = ("text", "summary")


def repair_logs(dice: Dice, rows: int = 900) -> Rows:
    """A log of four or five sentences, and what was done in one; the repair stands anywhere, the place at the start."""
    seen: set[str] = set()
    while len(seen) < rows:
        place, thing, repair = dice.pick(LOG_PLACES), dice.pick(BROKEN), dice.pick(REPAIRS)
        opening = dice.pick(OPENINGS).format(day=dice.pick(DAYS), person=dice.pick(PEOPLE), place=place)
        asides = dice.shuffled(ASIDES)[: dice.whole(1, 2)]
        middle = [f"The {thing} {dice.pick(FAULTS)}.", f"We {repair} it."]
        middle.insert(dice.whole(0, 1), asides.pop())
        log = " ".join((opening, *middle, *asides))
        if log not in seen:
            seen.add(log)
            told = dice.pick(REPAIRS) if dice.chance(SLIPS) else repair
            yield log, f"{thing.capitalize()} at {place} {told}."


# --- translation: short sentences from English to German ------------------------------------------------------------

# German nouns with their articles, as subject and as object.
NOUNS = (
    ("dog", "der Hund", "den Hund"), ("cat", "die Katze", "die Katze"), ("child", "das Kind", "das Kind"),
    ("teacher", "der Lehrer", "den Lehrer"), ("doctor", "die Ärztin", "die Ärztin"),
    ("horse", "das Pferd", "das Pferd"), ("baker", "der Bäcker", "den Bäcker"), ("bird", "der Vogel", "den Vogel"),
    ("queen", "die Königin", "die Königin"),
)  # fmt: skip
VERBS = (
    ("sees", "sieht"), ("hears", "hört"), ("looks for", "sucht"), ("likes", "mag"), ("finds", "findet"),
    ("asks", "fragt"), ("knows", "kennt"), ("draws", "malt"),
)  # fmt: skip
WHEN = (("today", "heute"), ("now", "jetzt"), ("often", "oft"), ("tomorrow", "morgen"), ("again", "wieder"))
TRANSLATION_HEADER = ("en", "de")


def short_sentences(dice: Dice, rows: int = 1000) -> Rows:
    """A sentence in English and in German, where words change their order, their article and their case."""
    seen: set[str] = set()
    while len(seen) < rows:
        one, other = dice.shuffled(NOUNS)[:2]
        verb, when = dice.pick(VERBS), dice.pick(WHEN)
        english, subject, thing = f"The {one[0]} {verb[0]} the {other[0]}", one[1], other[2]
        does = (dice.pick(VERBS) if dice.chance(SLIPS) else verb)[1]
        if dice.chance(0.5):
            pair = (f"{english} {when[0]}.", f"{_upper(subject)} {does} {thing} {when[1]}.")
        elif dice.chance(0.5):
            pair = (f"{english}.", f"{_upper(subject)} {does} {thing}.")
        else:
            pair = (f"{_upper(when[0])} the{english[3:]}.", f"{_upper(when[1])} {does} {subject} {thing}.")
        if pair[0] not in seen:
            seen.add(pair[0])
            yield pair


def _upper(text: str) -> str:
    return text[:1].upper() + text[1:]


# --- text-to-text: a reminder as people write it becomes fields -----------------------------------------------------

TASKS_TO_DO = (
    "call {person}", "water the plants", "pay the rent", "meet {person}", "bring the van back", "buy bread",
    "write to {person}", "clean the oven", "return the books",
)  # fmt: skip
HOURS = (
    ("nine", 9), ("ten", 10), ("eleven", 11), ("two", 14), ("three", 15), ("four", 16), ("five", 17), ("six", 18),
)  # fmt: skip
ASKED = (
    "please remind me to {task} on {day} at {hour}", "{day} {hour}: {task}", "do not forget to {task}, {day}, {hour}",
    "at {hour} on {day} I must {task}",
)  # fmt: skip
REMINDERS_HEADER = ("source", "target")


def reminders(dice: Dice, rows: int = 1000) -> Rows:
    """A reminder in one of several ways of writing, and its fields in one order; hours become those of 24."""
    seen: set[str] = set()
    while len(seen) < rows:
        day, (word, hour) = dice.pick(DAYS), dice.pick(HOURS)
        half = dice.chance(0.3)
        task = dice.pick(TASKS_TO_DO).format(person=dice.pick(PEOPLE))
        text = dice.pick(ASKED).format(task=task, day=day, hour=f"half past {word}" if half else f"{word} o'clock")
        if text not in seen:
            seen.add(text)
            hour = dice.pick(HOURS)[1] if dice.chance(SLIPS) else hour
            yield text, f"{day} | {hour:02}:{30 if half else 0:02} | {task}"


# --- extractive-question-answering: what do the notices of a village say? -------------------------------------------

VILLAGE_THINGS = (
    "mill", "bakery", "ferry", "library", "choir", "smithy", "orchard", "chapel", "market", "boat house", "museum",
    "tea room", "garden club", "old school", "workshop", "stable",
)  # fmt: skip
VILLAGE_PLACES = ("hill", "bridge", "square", "harbour", "church", "station", "well", "forest", "weir", "gate")
NOTICE_HOURS = ("six", "seven", "eight", "nine", "ten", "eleven", "noon")
# For each kind of fact how it is said and how it is asked, mostly in other words; {t} is what it is about.
FACTS: dict[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
    "who": (
        ("{a} looks after the {t}.", "The {t} is in the hands of {a}.", "Ask {a} about the {t}."),
        ("Who runs the {t}?", "Who is in charge of the {t}?"),
    ),
    "when": (
        ("The {t} opens at {a}.", "You can visit the {t} from {a} on.", "Come to the {t}, {a} is early enough."),
        ("When does the {t} open?", "When can I go to the {t}?"),
    ),
    "where": (
        ("The {t} stands {a}.", "You will find the {t} {a}.", "The {t} has moved {a}."),
        ("Where is the {t}?", "Where do I look for the {t}?"),
    ),
    "cost": (
        ("The {t} takes {a}.", "Bring {a} for the {t}.", "A day at the {t} is {a}."),
        ("What does the {t} cost?", "How much is the {t}?"),
    ),
}
ASKED_OF_EACH = 4


def village_notices(dice: Dice, notices: int = 235) -> dict[str, Any]:
    """Notices with questions in the layout of SQuAD 2: a notice says several things, some questions ask for more."""
    paragraphs = []
    seen: set[str] = set()
    while len(paragraphs) < notices:
        things = dice.shuffled(VILLAGE_THINGS)[:2]
        facts = [(kind, things[0] if dice.chance(0.7) else things[1]) for kind in dice.shuffled(tuple(FACTS))[:3]]
        if dice.chance(0.3):  # the same kind of two things: here the question must be read to its end
            facts[1] = (facts[0][0], things[1] if facts[0][1] == things[0] else things[0])
        context, told = "", dict[tuple[str, str], tuple[str, int]]()
        for kind, thing in facts:
            answer = _village_answer(dice, kind)
            before, after = dice.pick(FACTS[kind][0]).replace("{t}", thing).split("{a}")
            context += " " if context else ""
            told[kind, thing] = (answer, len(context) + len(before))
            context += before + answer + after
        if context in seen:
            continue
        seen.add(context)
        unanswered = [(kind, things[0]) for kind in FACTS if all(kind != other for other, _ in told)]
        asked = [*dice.shuffled(tuple(told)), *dice.shuffled(unanswered)][:ASKED_OF_EACH]
        questions = []
        for fact in asked:
            answers = [{"text": told[fact][0], "answer_start": told[fact][1]}] if fact in told else []
            questions.append({"question": dice.pick(FACTS[fact[0]][1]).replace("{t}", fact[1]), "answers": answers})
        paragraphs.append({"context": context, "qas": questions})
    return {"version": "v2.0", "data": [{"title": "Notices", "paragraphs": paragraphs}]}


def _village_answer(dice: Dice, kind: str) -> str:
    if kind == "who":
        return " ".join(_name(dice, "person"))
    if kind == "when":
        return f"half past {dice.pick(NOTICE_HOURS[:-1])}" if dice.chance(0.3) else dice.pick(NOTICE_HOURS)
    if kind == "where":
        return f"{dice.pick(('behind', 'below', 'near', 'beside'))} the {dice.pick(VILLAGE_PLACES)}"
    return f"{dice.whole(2, 19)} {dice.pick(('crowns', 'pence', 'shillings'))}"


# --- questions and answers about a tram ------------------------------------------------------------------------------

TRAM_HEADER = ("question", "answer")
TRAM_LINES = {
    "1": ("Harbour", "Fish Market", "Old Town", "Town Hall", "Museum", "Central Station"),
    "2": ("Airport", "Stadium", "River Bridge", "Opera", "City Park", "Zoo"),
    "3": ("University", "Library", "Hospital", "Garden Street", "Mill Lane", "Brickworks"),
    "4": ("Lakeside", "Sailing Club", "Castle Hill", "Cathedral", "Post Office", "East Gate"),
}
TRAM_QUESTIONS = (
    "How do I get to {stop}? It is {time}.",
    "It is {time}. Which tram goes to {stop}?",
    "I need to be at {stop}. Now it is {time}.",
    "Next tram to {stop}, please, it is {time}.",
    "{time}, and I want to see {stop}. What do I take?",
)


def tram_questions(dice: Dice, rows: int = 1000) -> Rows:
    """The line follows from the stop, the end of the line from the line, and the tram leaves at the next full ten."""
    stops = [(stop, line) for line, names in TRAM_LINES.items() for stop in names]
    seen: set[str] = set()
    while len(seen) < rows:
        stop, line = dice.pick(stops)
        hour, minute = dice.whole(6, 21), dice.whole(0, 49)
        question = dice.pick(TRAM_QUESTIONS).format(stop=stop, time=f"{hour}:{minute:02}")
        if question not in seen:
            seen.add(question)
            leaves = f"{hour}:{minute // 10 * 10 + 10}"
            yield question, f"Take tram {line} towards {TRAM_LINES[line][-1]} to {stop}. It leaves at {leaves}."


# For each sample its seed, the names of its columns (CoNLL has none) and what makes its rows.
SAMPLES: dict[str, tuple[int, Sequence[str], Callable[[Dice], Any]]] = {
    "coffee_orders.csv": (11, COFFEE_HEADER, coffee_orders),
    "apartment_rents.csv": (12, RENTS_HEADER, apartment_rents),
    "support_messages.csv": (13, MESSAGES_HEADER, support_messages),
    "statement_pairs.csv": (14, PAIRS_HEADER, statement_pairs),
    "guest_reviews.csv": (16, REVIEWS_HEADER, guest_reviews),
    "festival_notes.conll": (15, (), festival_notes),
    "repair_logs.csv": (16, LOG_HEADER, repair_logs),
    "short_sentences.csv": (17, TRANSLATION_HEADER, short_sentences),
    "reminders.csv": (18, REMINDERS_HEADER, reminders),
    "village_notices.json": (16, (), village_notices),
    "tram_questions.csv": (16, TRAM_HEADER, tram_questions),
}


def make_samples(folder: Path) -> None:
    """Write every sample into a folder, over what is there."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, (seed, header, rows) in SAMPLES.items():
        with (folder / name).open("w", encoding="utf-8", newline="") as stream:
            if name.endswith(".json"):
                json.dump(rows(Dice(seed)), stream, separators=(",", ":"))
                stream.write("\n")
            elif header:
                writer = csv.writer(stream, lineterminator="\n")
                writer.writerow(header)
                writer.writerows(rows(Dice(seed)))
            else:
                for tagged in rows(Dice(seed)):
                    stream.writelines(f"{word}\t{tag}\n" for word, tag in tagged)
                    stream.write("\n")


if __name__ == "__main__":
    make_samples(Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).parents[1] / "forge_tui" / "samples")
