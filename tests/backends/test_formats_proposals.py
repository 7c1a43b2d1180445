"""What data is proposed for: data sets as people have them, the usual mistakes, and the shared data sets."""

from __future__ import annotations

import csv
import json
import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from backends.contract import DatasetProfile
from backends.formats.check_request import CheckRequest
from backends.formats.checks import check, check_data
from backends.formats.columns import Column, summarise
from backends.formats.proposals import propose_tasks
from backends.formats.roles import ALIASES, by_name, language_pair, propose_roles
from backends.formats.rows import Row
from backends.registry import TASK_DATA, find_data

NOUNS = "river market engine teacher garden bridge window doctor letter village machine captain forest camera".split()
VERBS = "opens follows repairs describes carries finds watches builds visits changes breaks answers".split()
KINDS = "quiet golden broken early famous narrow heavy modern friendly strange".split()
DINGE = "Fluss Markt Motor Lehrer Garten Brücke Fenster Brief Dorf Wald Kamera Küche".split()
TATEN = "öffnet folgt repariert beschreibt trägt findet beobachtet baut besucht ändert".split()


class Draw:
    """Draws words and values, the same ones every time."""

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)

    def text(self, sentences: int = 1) -> str:
        of = self.random.choice
        made = (
            f"The {of(KINDS)} {of(NOUNS)} {of(VERBS)} the {of(KINDS)} {of(NOUNS)} number {self.random.randrange(900)}."
            for _ in range(sentences)
        )
        return " ".join(made)

    def german(self) -> str:
        of = self.random.choice
        return f"Der {of(DINGE)} {of(TATEN)} den alten {of(DINGE)} Nummer {self.random.randrange(900)}."

    def question(self) -> str:
        of = self.random.choice
        return f"Why does the {of(KINDS)} {of(NOUNS)} need a {of(NOUNS)} in {self.random.randrange(1900, 2020)}?"

    def one(self, *values: Any) -> Any:
        return self.random.choice(values)

    def whole(self, low: int, high: int) -> int:
        return self.random.randrange(low, high)

    def part(self, low: float = 0, high: float = 1, digits: int = 2) -> float:
        return round(self.random.uniform(low, high), digits)

    def key(self) -> str:
        return f"{self.random.getrandbits(64):016x}"

    def talk(self, rounds: int = 1) -> list[dict[str, str]]:
        turns = []
        for _ in range(rounds):
            turns.append({"role": "user", "content": self.question()})
            turns.append({"role": "assistant", "content": self.text(2)})
        return turns


Make = Callable[[Draw, int], Mapping[str, Any]]


@dataclass(frozen=True)
class Known:
    """A data set as people have it: how a row is made, and what an expert says of it, `task` or `task:strategy`."""

    name: str
    make: Make
    says: str
    roles: Mapping[str, str]
    also: tuple[str, ...] = ()
    ending: str = "jsonl"
    rows: int = 80


def write(path: Path, rows: Sequence[Mapping[str, Any]]) -> Path:
    if path.suffix == ".jsonl":
        path.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows))
    elif path.suffix == ".json":
        path.write_text(json.dumps(rows, ensure_ascii=False))
    else:
        with path.open("w", newline="") as stream:
            writer = csv.DictWriter(stream, list(rows[0]), delimiter=";" if path.suffix == ".ssv" else ",")
            writer.writeheader()
            writer.writerows(rows)
    return path


def make(known: Known, folder: Path) -> Path:
    draw = Draw(7)
    return write(folder / f"data.{known.ending}", [known.make(draw, n) for n in range(known.rows)])


def proposed(profile: DatasetProfile) -> list[str]:
    return [each.task + (f":{each.strategy}" if each.strategy else "") for each in profile.proposals]


def codes(profile: DatasetProfile) -> set[str]:
    return {finding.code for finding in (*profile.errors, *profile.warnings)}


def rows_of(count: int = 60, /, **columns: Callable[[Draw, int], Any]) -> list[Mapping[str, Any]]:
    draw = Draw(5)
    return [{name: cell(draw, n) for name, cell in columns.items()} for n in range(count)]


def text(draw: Draw, n: int) -> str:
    return draw.text()


def question(draw: Draw, n: int) -> str:
    return draw.question()


def number(draw: Draw, n: int) -> int:
    return draw.whole(0, 1000)


# --- data sets as people have them -------------------------------------------------------------------------------

SFT, DPO, KTO = "text-generation:sft", "text-generation:dpo", "text-generation:kto"
PLAIN = "text-generation:pretrain"
CLASSES, NUMBER = "tabular-classification", "tabular-regression"
PAIR, TEXT = "sentence-pair-classification", "text-classification"
ANSWERS, SHORTER, TRANSLATED = "extractive-question-answering", "summarization", "translation"
PREFERRED = ("reward-modeling", "text-generation:orpo")
REWRITTEN = ("text-to-text", SFT)


def squad(d: Draw, n: int) -> dict[str, Any]:
    context = d.text(4)
    word = context.split()[2]
    answers = {"text": [word], "answer_start": [context.index(word)]}
    return {"id": d.key(), "title": d.one(*NOUNS), "context": context, "question": d.question(), "answers": answers}


def squad_flat(d: Draw, n: int) -> dict[str, Any]:
    context = d.text(4)
    return {"context": context, "question": d.question(), "answer": context.split()[1]}


def squad_2(d: Draw, n: int) -> dict[str, Any]:
    return squad(d, n) if n % 3 else {**squad(d, n), "answers": {"text": [], "answer_start": []}}


def hh_rlhf(d: Draw, n: int) -> dict[str, Any]:
    before = f"\n\nHuman: {d.question()}\n\nAssistant: {d.text()}\n\nHuman: {d.question()}\n\nAssistant: "
    return {"chosen": before + d.text(2), "rejected": before + d.text(2)}


def ultrafeedback(d: Draw, n: int) -> dict[str, Any]:
    asked = {"role": "user", "content": d.question()}
    sides = {side: [asked, {"role": "assistant", "content": d.text(2)}] for side in ("chosen", "rejected")}
    return {**sides, "score_chosen": d.part(5, 10, 1), "score_rejected": d.part(1, 5, 1)}


def ultrafeedback_binarized(d: Draw, n: int) -> dict[str, Any]:
    made = ultrafeedback(d, n)
    asked = made["chosen"][0]["content"]
    return {"prompt": asked, "prompt_id": d.key(), **made, "messages": made["chosen"]}


def alpaca(d: Draw, n: int) -> dict[str, Any]:
    asked, given, answer = d.question(), "" if n % 2 else d.text(), d.text(3)
    whole = f"Below is an instruction.\n\n### Instruction:\n{asked}\n\n### Response:\n{answer}"
    return {"instruction": asked, "input": given, "output": answer, "text": whole}


def conll(d: Draw, n: int) -> dict[str, Any]:
    words = d.text().split()
    tags = {name: [d.whole(0, most) for _ in words] for name, most in (("pos_tags", 45), ("chunk_tags", 20))}
    names = [d.one("O", "O", "O", "B-PER", "B-ORG", "B-LOC") for _ in words]
    return {"id": str(n), "tokens": words, **tags, "ner_tags": names}


def titanic(d: Draw, n: int) -> dict[str, Any]:
    name = f"{d.one(*NOUNS).title()}, Mr. {d.one(*NOUNS).title()} {n}"
    person = {"Name": name, "Sex": d.one("male", "female"), "Age": d.one("", 22, 38.5, d.whole(1, 70))}
    trip = {"Ticket": f"A/5 {d.whole(0, 10**5)}", "Fare": d.part(5, 90, 4), "Embarked": d.one("S", "C", "Q")}
    return {"Survived": d.one(0, 1), "Pclass": d.whole(1, 4), **person, "SibSp": d.whole(0, 3), **trip}


def iris(d: Draw, n: int) -> dict[str, Any]:
    sizes = {name: d.part(1, 8, 1) for name in ("sepal_length", "sepal_width", "petal_length", "petal_width")}
    return {**sizes, "species": ("setosa", "versicolor", "virginica")[n % 3]}


def adult(d: Draw, n: int) -> dict[str, Any]:
    work = {"workclass": d.one("Private", "State-gov", "?"), "fnlwgt": d.whole(10**4, 10**6)}
    school = {"education": d.one("Bachelors", "HS-grad"), "education.num": d.whole(1, 17)}
    money = {"capital.gain": d.one(0, 0, 2174), "hours.per.week": d.whole(10, 80)}
    return {
        "age": d.whole(17, 90),
        **work,
        **school,
        **money,
        "sex": d.one("Male", "Female"),
        "income": d.one(*INCOMES),
    }


INCOMES = ("<=50K", ">50K")
OUTCOME = ({"Outcome": 1}, {"Outcome": 0})
SAME_PAIR = {"premise": "premise", "hypothesis": "hypothesis", "label": "label"}
SAME_SUMMARY = {"source": "document", "target": "summary"}

KNOWN = [
    # texts with a class
    Known("imdb", lambda d, n: {"text": d.text(8), "label": d.whole(0, 2)}, TEXT, {"text": "text", "label": "label"}),
    Known(
        "imdb-kaggle",
        lambda d, n: {"review": d.text(8), "sentiment": d.one("positive", "negative")},
        TEXT,
        {"text": "review", "label": "sentiment"},
        ending="csv",
    ),
    Known(
        "essay-grades",
        lambda d, n: {"essay": d.text(8), "score": f"{d.whole(0, 60) / 10}"},
        "text-regression",
        {"text": "essay", "target": "score"},
        ending="csv",
    ),
    Known(
        "ag_news", lambda d, n: {"text": d.text(2), "label": d.whole(0, 4)}, TEXT, {"text": "text", "label": "label"}
    ),
    Known(
        "ag_news-csv",
        lambda d, n: {"Class Index": d.whole(1, 5), "Title": d.text(), "Description": d.text(3)},
        TEXT,
        {"text": "Description", "label": "Class Index"},
        ending="csv",
    ),
    Known(
        "sst2",
        lambda d, n: {"idx": n, "sentence": d.text(), "label": d.whole(0, 2)},
        TEXT,
        {"text": "sentence", "label": "label"},
    ),
    Known(
        "yelp_review_full",
        lambda d, n: {"label": d.whole(0, 5), "text": d.text(4)},
        TEXT,
        {"text": "text", "label": "label"},
    ),
    Known(
        "sms-spam-kaggle",
        lambda d, n: {"v1": d.one("ham", "spam"), "v2": d.text()},
        TEXT,
        {"text": "v2", "label": "v1"},
        ending="csv",
    ),
    Known(
        "fever",
        lambda d, n: {"id": n, "label": d.one("SUPPORTS", "REFUTES", "NOT ENOUGH INFO"), "claim": d.text()},
        TEXT,
        {"text": "claim", "label": "label"},
    ),
    Known(
        "trec",
        lambda d, n: {"text": d.question(), "coarse_label": d.whole(0, 6), "label": d.whole(0, 6)},
        TEXT,
        {"text": "text", "label": "label"},
    ),
    Known(
        "amazon_polarity",
        lambda d, n: {"label": d.whole(0, 2), "title": d.question(), "content": d.text(4)},
        TEXT,
        {"text": "content", "label": "label"},
    ),
    Known(
        "fake-news-kaggle",
        lambda d, n: {
            "title": d.question(),
            "text": d.text(9),
            "subject": d.one("politics", "worldnews"),
            "label": d.one("FAKE", "REAL"),
        },
        TEXT,
        {"text": "text", "label": "label"},
    ),
    Known(
        "amazon-reviews-2023",
        lambda d, n: {
            "rating": d.whole(1, 6) * 1.0,
            "title": d.question(),
            "text": d.text(3),
            "verified_purchase": True,
        },
        TEXT,
        {"text": "text", "label": "rating"},
    ),
    Known(
        "go_emotions",
        lambda d, n: {"text": d.text(), "labels": [d.whole(0, 27)], "id": d.key()},
        TEXT,
        {"text": "text", "label": "labels"},
    ),
    Known(
        "it-tickets",
        lambda d, n: {"ticket_id": n, "body": d.text(3), "queue": d.one("Billing", "IT"), "language": "en"},
        TEXT,
        {"text": "body", "label": "queue"},
    ),
    Known(
        "classes-as-completions",
        lambda d, n: {"prompt": d.text(), "completion": d.one(" positive", " negative")},
        TEXT,
        {"text": "prompt", "label": "completion"},
        (SFT,),
    ),
    # pairs of texts with a class
    Known(
        "mnli",
        lambda d, n: {
            "genre": d.one("fiction", "travel"),
            "gold_label": d.one("neutral", "entailment", "contradiction"),
            "sentence1": d.text(),
            "sentence2": d.text(),
        },
        PAIR,
        {"premise": "sentence1", "hypothesis": "sentence2", "label": "gold_label"},
    ),
    Known(
        "quora-kaggle",
        lambda d, n: {
            "id": n,
            "qid1": 2 * n,
            "qid2": 2 * n + 1,
            "question1": d.question(),
            "question2": d.question(),
            "is_duplicate": d.whole(0, 2),
        },
        PAIR,
        {"premise": "question1", "hypothesis": "question2", "label": "is_duplicate"},
        ending="csv",
    ),
    Known(
        "sick",
        lambda d, n: {
            "sentence_A": d.text(),
            "sentence_B": d.text(),
            "entailment_judgment": d.one("NEUTRAL", "ENTAILMENT"),
        },
        PAIR,
        {"premise": "sentence_A", "hypothesis": "sentence_B", "label": "entailment_judgment"},
    ),
    Known(
        "qnli",
        lambda d, n: {"question": d.question(), "sentence": d.text(), "label": d.whole(0, 2), "idx": n},
        PAIR,
        {"premise": "question", "hypothesis": "sentence", "label": "label"},
    ),
    Known(
        "boolq",
        lambda d, n: {"question": d.question(), "passage": d.text(5), "answer": d.one(True, False)},
        PAIR,
        {"premise": "question", "hypothesis": "passage", "label": "answer"},
    ),
    Known(
        "snli",
        lambda d, n: {"premise": d.text(), "hypothesis": d.text(), "label": d.one(-1, 0, 1, 2)},
        PAIR,
        SAME_PAIR,
    ),
    Known(
        "scitail",
        lambda d, n: {"premise": d.text(), "hypothesis": d.text(), "label": d.one("entails", "neutral")},
        PAIR,
        SAME_PAIR,
        ending="csv",
    ),
    Known(
        "mrpc",
        lambda d, n: {"sentence1": d.text(), "sentence2": d.text(), "label": d.whole(0, 2), "idx": n},
        PAIR,
        {"premise": "sentence1", "hypothesis": "sentence2", "label": "label"},
    ),
    Known(
        "glue-qqp",
        lambda d, n: {"question1": d.question(), "question2": d.question(), "label": d.whole(0, 2), "idx": n},
        PAIR,
        {"premise": "question1", "hypothesis": "question2", "label": "label"},
    ),
    # words with tags
    Known("conll2003", conll, "token-classification", {"tokens": "tokens", "tags": "ner_tags"}),
    # questions and answers
    Known("squad", squad, ANSWERS, {"context": "context", "question": "question", "answers": "answers"}, (SFT,)),
    Known("squad_v2", squad_2, ANSWERS, {"context": "context", "question": "question", "answers": "answers"}, (SFT,)),
    Known(
        "squad-csv",
        squad_flat,
        ANSWERS,
        {"context": "context", "question": "question", "answers": "answer"},
        (SFT,),
        "csv",
    ),
    Known(
        "gsm8k",
        lambda d, n: {"question": d.text(2) + " How many?", "answer": f"{d.text(2)}\n#### {n % 40}"},
        SFT,
        {"question": "question", "answer": "answer"},
        ("text-generation:grpo",),
    ),
    Known(
        "competition-math",
        lambda d, n: {
            "problem": d.text(),
            "level": d.one("Level 1", "Level 5"),
            "type": d.one("Algebra", "Geometry"),
            "solution": f"{d.text(2)} $\\boxed{{{n}}}$",
        },
        SFT,
        {"question": "problem", "answer": "solution"},
        ("text-generation:grpo",),
    ),
    Known(
        "medquad",
        lambda d, n: {"question": d.question(), "answer": d.text(5), "source": d.one("GARD", "NIH")},
        SFT,
        {"question": "question", "answer": "answer"},
        ending="csv",
    ),
    Known(
        "metamathqa",
        lambda d, n: {"type": d.one("a", "b"), "query": d.question(), "response": d.text(3)},
        SFT,
        {"question": "query", "answer": "response"},
    ),
    Known(
        "openorca",
        lambda d, n: {
            "id": f"niv.{n}",
            "system_prompt": d.one("", "You are an assistant that explains everything in detail to a child of five."),
            "question": d.question(),
            "response": d.text(3),
        },
        SFT,
        {"question": "question", "answer": "response", "system": "system_prompt"},
    ),
    # instructions
    Known(
        "dolly-15k",
        lambda d, n: {
            "instruction": d.question(),
            "context": d.text(4) if n % 3 == 0 else "",
            "response": d.text(3),
            "category": d.one("open_qa", "closed_qa", "brainstorming"),
        },
        SFT,
        {"instruction": "instruction", "input": "context", "output": "response"},
    ),
    Known(
        "alpaca-cleaned",
        lambda d, n: {"output": d.text(3), "input": "" if n % 2 else d.text(), "instruction": d.question()},
        SFT,
        {"instruction": "instruction", "input": "input", "output": "output"},
        ending="json",
    ),
    Known(
        "dolly-15k-closed-qa",
        lambda d, n: {"instruction": d.question(), "context": d.text(4), "response": d.text()},
        SFT,
        {"instruction": "instruction", "input": "context", "output": "response"},
    ),
    Known("alpaca", alpaca, SFT, {"instruction": "instruction", "input": "input", "output": "output"}),
    Known(
        "mbpp",
        lambda d, n: {
            "task_id": n,
            "text": f"Write a function. {d.text()}",
            "code": f"def f{n}():\n    return {d.whole(0, 900)}",
            "test_list": ["assert 1"],
        },
        SFT,
        {"source": "text", "target": "code"},
    ),
    Known(
        "prompt-completion-of-turns",
        lambda d, n: {"prompt": d.talk()[:1], "completion": d.talk()[1:]},
        SFT,
        {"prompt": "prompt", "completion": "completion"},
    ),
    Known(
        "answers-marked-safe",
        lambda d, n: {"prompt": d.question(), "response": d.text(), "label": d.one("safe", "unsafe")},
        SFT,
        {"prompt": "prompt", "completion": "response"},
    ),
    # conversations
    Known(
        "capybara",
        lambda d, n: {"source": "x", "conversation": [{"input": d.question(), "output": d.text(2)} for _ in range(2)]},
        SFT,
        {"messages": "conversation"},
    ),
    Known("turns-as-json", lambda d, n: {"messages": json.dumps(d.talk())}, SFT, {"messages": "messages"}),
    Known(
        "classes-as-answers",
        lambda d, n: {"messages": [*d.talk()[:1], {"role": "assistant", "content": d.one("positive", "negative")}]},
        SFT,
        {"messages": "messages"},
    ),
    Known(
        "conversations-with-a-topic",
        lambda d, n: {"messages": d.talk(), "label": d.one("billing", "tech")},
        SFT,
        {"messages": "messages"},
    ),
    Known(
        "sharegpt",
        lambda d, n: {
            "id": d.key(),
            "conversations": [{"from": "human", "value": d.question()}, {"from": "gpt", "value": d.text(3)}],
        },
        SFT,
        {"messages": "conversations"},
        ending="json",
    ),
    Known(
        "slimorca",
        lambda d, n: {
            "conversations": [
                {"from": "system", "value": "You are kind.", "weight": None},
                {"from": "human", "value": d.question(), "weight": 0},
                {"from": "gpt", "value": d.text(), "weight": 1},
            ]
        },
        SFT,
        {"messages": "conversations"},
    ),
    Known(
        "ultrachat-200k",
        lambda d, n: {"prompt": d.question(), "prompt_id": d.key(), "messages": d.talk(2)},
        SFT,
        {"messages": "messages"},
    ),
    Known(
        "wildchat",
        lambda d, n: {
            "conversation_hash": d.key(),
            "model": "gpt-4",
            "conversation": [{**turn, "language": "English", "toxic": False} for turn in d.talk()],
            "turn": 1,
            "toxic": False,
        },
        SFT,
        {"messages": "conversation"},
    ),
    Known(
        "openai-fine-tuning",
        lambda d, n: {"messages": [{"role": "system", "content": "You are Marv."}, *d.talk()]},
        SFT,
        {"messages": "messages"},
    ),
    Known(
        "guanaco-llama2",
        lambda d, n: {"text": f"<s>[INST] {d.question()} [/INST] {d.text(2)} </s>"},
        SFT,
        {"text": "text"},
    ),
    # preferences
    Known("hh-rlhf", hh_rlhf, DPO, {"chosen": "chosen", "rejected": "rejected"}, PREFERRED),
    Known("trl-ultrafeedback", ultrafeedback, DPO, {"chosen": "chosen", "rejected": "rejected"}, PREFERRED),
    Known(
        "ultrafeedback-binarized",
        ultrafeedback_binarized,
        DPO,
        {"chosen": "chosen", "rejected": "rejected", "prompt": "prompt", "messages": "messages"},
        PREFERRED,
    ),
    Known(
        "preferences-of-turns",
        lambda d, n: {"prompt": d.talk()[:1], "chosen": d.talk()[1:], "rejected": d.talk()[1:]},
        DPO,
        {"chosen": "chosen", "rejected": "rejected", "prompt": "prompt"},
        PREFERRED,
    ),
    Known(
        "orca-dpo-pairs",
        lambda d, n: {"system": "", "question": d.question(), "chosen": d.text(3), "rejected": d.text(3)},
        DPO,
        {"chosen": "chosen", "rejected": "rejected", "prompt": "question", "system": "system"},
        PREFERRED,
    ),
    Known(
        "kto",
        lambda d, n: {"prompt": d.question(), "completion": d.text(2), "label": n % 3 == 0},
        KTO,
        {"prompt": "prompt", "completion": "completion", "label": "label"},
        (SFT,),
    ),
    Known(
        "kto-of-turns",
        lambda d, n: {"prompt": d.talk()[:1], "completion": d.talk()[1:], "label": n % 2 == 0},
        KTO,
        {"prompt": "prompt", "completion": "completion", "label": "label"},
        (SFT,),
    ),
    # texts from texts
    Known(
        "cnn_dailymail",
        lambda d, n: {"article": d.text(20), "highlights": d.text(2), "id": d.key()},
        SHORTER,
        {"source": "article", "target": "highlights"},
        REWRITTEN,
    ),
    Known(
        "xsum",
        lambda d, n: {"document": d.text(15), "summary": d.text(), "id": str(d.whole(10**7, 10**8))},
        SHORTER,
        SAME_SUMMARY,
        REWRITTEN,
    ),
    Known(
        "samsum",
        lambda d, n: {
            "id": str(13_810_000 + n),
            "dialogue": "\r\n".join(f"{who}: {d.text()}" for who in ("Amanda", "Jerry", "Amanda")),
            "summary": d.text(),
        },
        SHORTER,
        {"source": "dialogue", "target": "summary"},
        REWRITTEN,
    ),
    Known(
        "pubmed-summarization",
        lambda d, n: {"article": d.text(30), "abstract": d.text(5)},
        SHORTER,
        {"source": "article", "target": "abstract"},
        REWRITTEN,
        "csv",
    ),
    Known(
        "billsum",
        lambda d, n: {"text": d.text(20), "summary": d.text(4), "title": d.text()},
        SHORTER,
        {"source": "text", "target": "summary"},
        REWRITTEN,
    ),
    Known(
        "iwslt",
        lambda d, n: {"src": d.text(), "tgt": d.german()},
        TRANSLATED,
        {"source": "src", "target": "tgt"},
        REWRITTEN,
        "csv",
    ),
    Known(
        "opus",
        lambda d, n: {"translation": {"de": d.german(), "en": d.text()}},
        TRANSLATED,
        {"source": "translation.de", "target": "translation.en"},
        ("text-to-text",),
    ),
    Known(
        "columns-of-language-codes",
        lambda d, n: {"en": d.text(), "de": d.german()},
        TRANSLATED,
        {"source": "en", "target": "de"},
        ("text-to-text",),
        "csv",
    ),
    Known(
        "columns-of-languages",
        lambda d, n: {"English": d.text(), "German": d.german()},
        TRANSLATED,
        {"source": "English", "target": "German"},
        ("text-to-text",),
    ),
    # texts alone
    Known("wikitext", lambda d, n: {"text": d.text(10)}, PLAIN, {"text": "text"}),
    Known(
        "wikipedia",
        lambda d, n: {"id": str(n), "url": f"https://x.org/{n}", "title": f"Title {n}", "text": d.text(9)},
        PLAIN,
        {"text": "text"},
    ),
    Known(
        "fineweb",
        lambda d, n: {
            "text": d.text(9),
            "id": f"<urn:uuid:{d.key()}>",
            "url": f"http://x.org/{n}",
            "language": "en",
            "language_score": d.part(0.6),
            "token_count": d.whole(50, 900),
        },
        PLAIN,
        {"text": "text"},
    ),
    Known(
        "codeparrot",
        lambda d, n: {
            "repo_name": f"a/b{n % 9}",
            "path": f"x{n}.py",
            "content": f"def f():\n    return {n}  # {d.text()}",
            "license": d.one("mit", "apache-2.0"),
        },
        PLAIN,
        {"text": "content"},
    ),
    # tables
    Known("titanic", titanic, CLASSES, {"target": "Survived"}, ending="csv"),
    Known("iris", iris, CLASSES, {"target": "species"}, ending="csv", rows=150),
    Known("adult", adult, CLASSES, {"target": "income"}, ending="csv", rows=200),
    Known(
        "heart-disease",
        lambda d, n: {
            "age": d.whole(30, 80),
            "sex": d.one(0, 1),
            "cp": d.whole(0, 4),
            "chol": d.whole(120, 500),
            "thal": d.whole(0, 4),
            "target": d.one(0, 1),
        },
        CLASSES,
        {"target": "target"},
        ending="csv",
    ),
    Known(
        "pima-diabetes",
        lambda d, n: {
            "Pregnancies": d.whole(0, 15),
            "Glucose": d.whole(60, 200),
            "BMI": d.part(15, 50, 1),
            **OUTCOME[n % 2],
        },
        CLASSES,
        {"target": "Outcome"},
        ending="csv",
    ),
    Known(
        "bank-marketing",
        lambda d, n: {
            "age": d.whole(18, 90),
            "job": d.one("admin.", "technician"),
            "balance": d.whole(-500, 9000),
            "poutcome": d.one("unknown", "failure", "success"),
            "y": d.one("yes", "no"),
        },
        CLASSES,
        {"target": "y"},
        ending="ssv",
    ),
    Known(
        "mushrooms",
        lambda d, n: {"class": d.one("p", "e"), "cap-shape": d.one("x", "b"), "odor": d.one("p", "a", "l")},
        CLASSES,
        {"target": "class"},
        ending="csv",
    ),
    Known(
        "credit-card-fraud",
        lambda d, n: {"Time": n * 1.5, "V1": d.part(-3, 3, 9), "Amount": d.part(1, 300), "Class": int(n % 10 == 0)},
        CLASSES,
        {"target": "Class"},
        ending="csv",
    ),
    Known(
        "wine-quality",
        lambda d, n: {"fixed acidity": d.part(4, 15, 1), "alcohol": d.part(8, 14, 1), "quality": d.whole(3, 9)},
        CLASSES,
        {"target": "quality"},
        (NUMBER,),
        "ssv",
    ),
    Known(
        "california-housing",
        lambda d, n: {
            "longitude": -d.part(114, 124),
            "population": d.whole(3, 3000),
            "median_house_value": d.whole(10**4, 5 * 10**5),
            "ocean_proximity": d.one("NEAR BAY", "INLAND"),
        },
        NUMBER,
        {"target": "median_house_value"},
        ending="csv",
    ),
    Known(
        "house-prices",
        lambda d, n: {
            "Id": n + 1,
            "MSZoning": d.one("RL", "RM"),
            "LotFrontage": d.one("NA", 65, 80),
            "YrSold": d.whole(2006, 2011),
            "SalePrice": d.whole(50_000, 500_000),
        },
        NUMBER,
        {"target": "SalePrice"},
        ending="csv",
    ),
    Known(
        "boston",
        lambda d, n: {"CRIM": d.part(0, 9), "CHAS": d.one(0, 1), "RM": d.part(3, 9), "MEDV": d.part(5, 50, 1)},
        NUMBER,
        {"target": "MEDV"},
        ending="csv",
    ),
    Known(
        "insurance",
        lambda d, n: {"age": d.whole(18, 65), "smoker": d.one("yes", "no"), "charges": d.part(1e3, 5e4, 4)},
        NUMBER,
        {"target": "charges"},
        ending="csv",
    ),
    Known(
        "bike-sharing",
        lambda d, n: {
            "instant": n + 1,
            "dteday": f"2011-01-{n % 28 + 1:02d}",
            "temp": d.part(),
            "cnt": d.whole(20, 7000),
        },
        NUMBER,
        {"target": "cnt"},
        ending="csv",
    ),
]


@pytest.mark.parametrize("known", KNOWN, ids=lambda known: known.name)
def test_a_known_data_set_is_understood(tmp_path: Path, known: Known) -> None:
    profile = check_data(make(known, tmp_path))
    assert proposed(profile)[: 1 + len(known.also)] == [known.says, *known.also]
    assert profile.task == known.says.partition(":")[0]
    assert dict(profile.columns) == dict(known.roles)
    assert profile.ok, profile.errors
    assert profile.rows == profile.usable_rows == known.rows
    assert all(each.reason for each in profile.proposals)
    assert profile.format == {"ssv": "csv"}.get(known.ending, known.ending)
    # Asked for the same task, the same roles are found.
    assert dict(check_data(tmp_path / f"data.{known.ending}", profile.task).columns) == dict(known.roles)


@pytest.mark.parametrize(
    "known",
    [each for each in KNOWN if each.also and each.make is not squad_2],  # a third of which has no answer to write
    ids=lambda known: known.name,
)
def test_every_further_proposal_can_be_followed(tmp_path: Path, known: Known) -> None:
    path = make(known, tmp_path)
    for other in {each.partition(":")[0] for each in known.also}:
        profile = check_data(path, other)
        assert profile.ok and profile.usable_rows == known.rows
        assert list(profile.columns.values()) == list(known.roles.values())
        assert "guessed-role" not in codes(profile)


@pytest.mark.parametrize("ending", ["jsonl", "csv", "json"])
@pytest.mark.parametrize(
    ("asked", "answered"),
    [
        ("prompt", "completion"),
        ("Prompt", "Response"),
        ("input", "output"),
        ("INPUT", "OUTPUT"),
        ("question", "answer"),
        ("query", "reply"),
        ("user", "assistant"),
        ("instruction", "output"),
    ],
)
def test_two_columns_are_a_question_and_its_answer(tmp_path: Path, asked: str, answered: str, ending: str) -> None:
    profile = check_data(write(tmp_path / f"data.{ending}", rows_of(**{asked: question, answered: text})))
    assert proposed(profile) == [SFT] and profile.ok and profile.usable_rows == 60
    assert list(profile.columns.values()) == [asked, answered]
    pieces = profile.stats["preview"][0]["pieces"]
    first = rows_of(**{asked: question, answered: text})[0]
    assert [piece["text"] for piece in pieces if piece["learned"]] == [f"{first[answered]}<|im_end|>"]
    assert first[asked] in pieces[0]["text"] and not pieces[0]["learned"]


@pytest.mark.parametrize(
    "known", [each for each in KNOWN if each.says in (SFT, DPO, KTO)], ids=lambda known: known.name
)
def test_names_in_other_spellings_make_no_difference(tmp_path: Path, known: Known) -> None:
    def spelled(name: str) -> str:
        return name.upper().replace("_", " ")

    draw = Draw(7)
    rows = [{spelled(name): cell for name, cell in known.make(draw, n).items()} for n in range(known.rows)]
    profile = check_data(write(tmp_path / f"data.{known.ending}", rows))
    assert proposed(profile)[: 1 + len(known.also)] == [known.says, *known.also]
    assert dict(profile.columns) == {role: spelled(name) for role, name in known.roles.items()}


# --- names -------------------------------------------------------------------------------------------------------

HELD: dict[str, list[Any]] = {
    "messages": [[{"role": "user", "content": "q"}, {"role": "assistant", "content": "a"}]],
    "history": [[["q", "a"]]],
    "tokens": [["a", "b"]],
    "tags": [["O", "B-x"]],
    "boxes": [[{"bbox": [1, 2, 3, 4], "category": "x"}]],
    "image": ["a.png"],
    "images": ["a.png"],
    "audio": ["a.wav"],
    "video": ["a.mp4"],
    "desirable": [True, False],
}


@settings(max_examples=200, deadline=None)
@given(st.sampled_from(sorted(ALIASES)), st.data())
def test_case_and_punctuation_of_names_do_not_count(role: str, data: st.DataObject) -> None:
    alias = data.draw(st.sampled_from(ALIASES[role]))
    between = data.draw(
        st.lists(st.sampled_from(["", "", "_", " ", "-", "."]), min_size=len(alias), max_size=len(alias))
    )
    upper = data.draw(st.lists(st.booleans(), min_size=len(alias), max_size=len(alias)))
    name = "".join(sign + (letter.upper() if up else letter) for sign, letter, up in zip(between, alias, upper))
    column = Column(name)
    for number, cell in enumerate(HELD.get(role, ["some words", "other words"]) * 5, 1):
        column.add(f"row {number}", cell)
    assert by_name(role, [Column("zzz"), column]) == [column]


@pytest.mark.parametrize(
    ("texts", "classes", "task", "roles"),
    [
        (
            ("SENTENCE 1", "sentence_2"),
            ("Gold-Label",),
            PAIR,
            {"premise": "SENTENCE 1", "hypothesis": "sentence_2", "label": "Gold-Label"},
        ),
        (("REVIEW_TEXT",), ("helpful?", "Label"), TEXT, {"text": "REVIEW_TEXT", "label": "Label"}),
        (("Message Body", "msg"), ("Intent",), TEXT, {"text": "msg", "label": "Intent"}),
        (("Prompt-Text", "Completion_Text"), (), SFT, {"prompt": "Prompt-Text", "completion": "Completion_Text"}),
        (("System Prompt", "Question", "ANSWER"), (), SFT, {"system": "System Prompt", "question": "Question"}),
        (("Original", "Corrected"), (), "text-to-text", {"source": "Original", "target": "Corrected"}),
    ],
)
def test_names_as_people_write_them(
    tmp_path: Path, texts: tuple[str, ...], classes: tuple[str, ...], task: str, roles: dict[str, str]
) -> None:
    cells: dict[str, Callable[[Draw, int], Any]] = dict.fromkeys(texts, text)
    cells |= {name: lambda d, n: d.one("a", "b") for name in classes}
    profile = check_data(write(tmp_path / "data.csv", rows_of(**cells)))
    assert proposed(profile)[0] == task
    assert dict(profile.columns).items() >= roles.items()


# --- mistakes that are caught ------------------------------------------------------------------------------------


def test_labelled_texts_are_for_classification_and_generation_says_what_it_leaves_out(tmp_path: Path) -> None:
    path = write(tmp_path / "data.jsonl", rows_of(text=text, label=lambda d, n: d.one("a", "b")))
    assert check_data(path).task == TEXT
    unused = [found for found in check_data(path, "text-generation").warnings if found.code == "label-unused"]
    assert [found.where for found in unused] == ["column label"] and TEXT in unused[0].fix


@pytest.mark.parametrize(
    ("columns", "name"),
    [
        ({"messages": lambda d, n: d.talk(), "topic": lambda d, n: d.one("a", "b", "c")}, "topic"),
        ({"messages": lambda d, n: d.talk(), "label": lambda d, n: d.one("billing", "tech")}, "label"),
        ({"prompt": question, "completion": text, "label": lambda d, n: d.one("a", "b", "c")}, "label"),
    ],
)
def test_classes_beside_conversations_and_answers_are_told_to_be_unused(
    tmp_path: Path, columns: dict[str, Callable[[Draw, int], Any]], name: str
) -> None:
    profile = check_data(write(tmp_path / "data.jsonl", rows_of(**columns)))
    assert proposed(profile)[0] == SFT and profile.usable_rows == 60
    assert [found.where for found in profile.warnings if found.code == "label-unused"] == [f"column {name}"]


@pytest.mark.parametrize(("asked", "answered"), [("question", "answer"), ("input", "output"), ("query", "response")])
def test_few_short_answers_are_classes(tmp_path: Path, asked: str, answered: str) -> None:
    path = write(tmp_path / "data.jsonl", rows_of(**{asked: text, answered: lambda d, n: d.one("yes", "no", "maybe")}))
    profile = check_data(path)
    assert proposed(profile)[:2] == [TEXT, SFT]
    assert "3 different" in profile.proposals[0].reason
    generation = check_data(path, "text-generation")
    found = next(each for each in generation.warnings if each.code == "looks-like-classification")
    assert "3 different" in found.message and TEXT in found.fix


def test_conversations_with_few_short_answers_look_like_classification(tmp_path: Path) -> None:
    def talk(draw: Draw, n: int) -> list[dict[str, str]]:
        return [*draw.talk()[:1], {"role": "assistant", "content": draw.one("yes", "no")}]

    profile = check_data(write(tmp_path / "data.jsonl", rows_of(messages=talk)))
    found = next(each for each in profile.warnings if each.code == "looks-like-classification")
    assert proposed(profile) == [SFT] and "2 different" in found.message


def test_a_prompt_and_its_completion_keep_their_names_beside_an_empty_one(tmp_path: Path) -> None:
    rows = rows_of(prompt=text, completion=lambda d, n: "" if n == 3 else d.text())
    profile = check_data(write(tmp_path / "data.jsonl", rows))
    assert dict(profile.columns) == {"prompt": "prompt", "completion": "completion"}
    assert [found.where for found in profile.warnings if found.code == "empty-completion"] == ["line 4"]


def test_many_or_long_answers_are_no_classes(tmp_path: Path) -> None:
    few_but_long = ["The first of two answers that are long enough to be more than names of classes.", "x" * 60]
    for answer in (text, lambda d, n: d.one(*few_but_long), lambda d, n: f"yes {n}"):
        path = write(tmp_path / "data.jsonl", rows_of(question=text, answer=answer))
        profile = check_data(path)
        assert proposed(profile) == [SFT] and "looks-like-classification" not in codes(profile)


@pytest.mark.parametrize(("source", "target"), [("article", "summary"), ("document", "tldr"), ("text", "abstract")])
def test_summaries_longer_than_their_texts_are_the_wrong_way_round(tmp_path: Path, source: str, target: str) -> None:
    long, short = lambda d, n: d.text(9), lambda d, n: f"short {n}"
    swapped = check_data(write(tmp_path / "swapped.jsonl", rows_of(**{source: short, target: long})))
    error = next(found for found in swapped.errors if found.code == "sides-swapped")
    assert swapped.task == SHORTER and not swapped.ok and error.where == f"column {target}"
    assert f"source={target}" in error.fix and f"target={source}" in error.fix
    right = check_data(tmp_path / "swapped.jsonl", SHORTER, {"source": target, "target": source})
    assert right.ok and not codes(right) & {"sides-swapped", "summary-longer"}


def test_a_single_longer_summary_is_named(tmp_path: Path) -> None:
    rows = rows_of(document=lambda d, n: "short" if n == 7 else d.text(9), summary=text)
    profile = check_data(write(tmp_path / "data.jsonl", rows))
    assert profile.ok
    assert [found.where for found in profile.warnings if found.code == "summary-longer"] == ["line 8"]


@pytest.mark.parametrize("values", [("1", "2", "3"), ("10", "20", "30"), ("1.0", "2.0", "3.0")])
def test_a_number_with_three_values_is_a_class(tmp_path: Path, values: tuple[str, ...]) -> None:
    path = write(tmp_path / "data.csv", rows_of(size=number, score=lambda d, n: d.one(*values)))
    profile = check_data(path)
    assert proposed(profile) == [CLASSES, NUMBER]
    assert "3 different" in profile.proposals[0].reason and "regression" in profile.proposals[1].reason
    told = next(found for found in check_data(path, NUMBER).warnings if found.code == "few-values-target")
    assert "3 different" in told.message and CLASSES in told.fix


@pytest.mark.parametrize(("rows", "values"), [(99, (0.5, 1.0, 1.5)), (24, (1, 2, 3)), (24, (0.25, 0.5))])
def test_few_values_of_a_number_are_told_whatever_they_look_like(
    tmp_path: Path, rows: int, values: tuple[float, ...]
) -> None:
    path = write(tmp_path / "data.csv", rows_of(rows, size=number, score=lambda d, n: values[n % len(values)]))
    told = next(found for found in check_data(path, NUMBER).warnings if found.code == "few-values-target")
    assert f"{len(values)} different" in told.message and CLASSES in told.fix


@pytest.mark.parametrize(
    ("rows", "values", "tasks"),
    [
        (60, 1_000, [NUMBER]),
        (600, 30, [NUMBER]),  # too many for classes, however often each stands
        (600, 15, [CLASSES, NUMBER]),
        (60, 15, [NUMBER]),  # four rows for each are no classes
        (60, 2, [CLASSES]),
    ],
)
def test_whole_numbers_are_classes_when_they_are_few(tmp_path: Path, rows: int, values: int, tasks: list[str]) -> None:
    made = rows_of(rows, size=number, score=lambda d, n: n * 7 % values)
    path = write(tmp_path / "data.csv", made)
    assert proposed(check_data(path)) == tasks
    assert ("few-values-target" in codes(check_data(path, NUMBER))) == (values <= 10)
    if values == 1_000:
        assert "too-many-classes" in codes(check_data(path, CLASSES))


@pytest.mark.parametrize(
    "name",
    [
        *["id", "Id", "ID", "customer_id", "CustomerID", "row_id", "uuid", "Unnamed: 0", "PassengerId", "customerId"],
        *["customer_no", "row", "nr", ""],
    ],
)
def test_a_running_number_is_no_feature(tmp_path: Path, name: str) -> None:
    rows = rows_of(**{name: lambda d, n: n + 1, "size": number, "target": lambda d, n: d.one("a", "b")})
    profile = check_data(write(tmp_path / "data.csv", rows))
    assert profile.stats["features"] == {"size": "number"}
    shown = name or "column 1"
    assert [found.where for found in profile.warnings if found.code == "column-left-out"] == [f"column {shown}"]


def test_a_key_of_letters_and_free_text_are_no_features(tmp_path: Path) -> None:
    rows = rows_of(key=lambda d, n: d.key(), notes=text, size=number, target=lambda d, n: d.one("a", "b"))
    profile = check_data(write(tmp_path / "data.csv", rows), CLASSES)
    assert set(profile.stats["left_out"]) == {"key", "notes"} and set(profile.stats["features"]) == {"size"}


@pytest.mark.parametrize("sure", [True, False])
def test_a_column_that_tells_the_target_is_named(tmp_path: Path, sure: bool) -> None:
    def alive(draw: Draw, n: int) -> str:
        return "yes" if n % 2 or (n == 40 and not sure) else "no"

    rows = rows_of(size=number, alive=alive, survived=lambda d, n: n % 2)
    profile = check_data(write(tmp_path / "data.csv", rows))
    leaks = [found for found in profile.warnings if found.code == "leak-column"]
    assert [found.where for found in leaks] == (["column alive"] if sure else [])
    assert profile.ok


def test_length_tells_the_better_answer(tmp_path: Path) -> None:
    rows = rows_of(prompt=question, chosen=lambda d, n: d.text(4), rejected=text)
    assert "length-bias" in codes(check_data(write(tmp_path / "data.jsonl", rows)))
    rows = rows_of(prompt=question, chosen=text, rejected=text)
    assert "length-bias" not in codes(check_data(write(tmp_path / "data.jsonl", rows)))


@pytest.mark.parametrize("mark", [True, False])
def test_marks_of_one_kind_teach_nothing(tmp_path: Path, mark: bool) -> None:
    rows = rows_of(prompt=question, completion=text, label=lambda d, n: mark)
    profile = check_data(write(tmp_path / "data.jsonl", rows))
    assert proposed(profile)[0] == KTO and [found.code for found in profile.errors] == ["one-class"]


def test_answers_that_do_not_stand_in_the_texts_are_written_by_a_language_model(tmp_path: Path) -> None:
    rows = rows_of(context=lambda d, n: d.text(3), question=question, answer=lambda d, n: d.german())
    profile = check_data(write(tmp_path / "data.jsonl", rows))
    assert proposed(profile) == [SFT, ANSWERS]
    assert dict(profile.columns) == {"context": "context", "question": "question", "answer": "answer"}


def test_a_mark_of_quality_is_found_where_nothing_else_is_read(tmp_path: Path) -> None:
    rows = rows_of(prompt=question, completion=text, score=lambda d, n: n % 10)
    found = check_data(write(tmp_path / "data.jsonl", rows), "text-generation").stats["quality_columns"]
    assert found == {"score": {"lowest": 0.0, "quarter_below": 2.0, "median": 5.0, "highest": 9.0}}
    rows = rows_of(text=text, score=lambda d, n: n % 3)  # the class, not a mark
    assert check_data(write(tmp_path / "data.jsonl", rows), TEXT).stats["quality_columns"] == {}


def test_what_is_given_decides_the_task(tmp_path: Path) -> None:
    path = write(tmp_path / "data.jsonl", rows_of(a=question, b=lambda d, n: d.text(2)))
    assert proposed(check(CheckRequest(path, columns={"prompt": "a", "completion": "b"})))[0] == SFT
    assert proposed(check(CheckRequest(path, columns={"source": "a", "target": "b"})))[0] in (TRANSLATED, *REWRITTEN)
    assert check(CheckRequest(path, columns={"text": "a"})).columns == {"text": "a"}


# --- the shared data ---------------------------------------------------------------------------------------------

GRPO = "text-generation:grpo"
TAGGED, SEEN = "token-classification", "visual-question-answering"
PICTURE, FOUND, HEARD, WATCHED = (
    "image-classification",
    "object-detection",
    "speech-recognition",
    "video-classification",
)

# Of a file or folder: its format, the tasks that come first, and the rows that SOURCES.md counts, by part where it has
# some.
SHARED: dict[str, tuple[str, str, int | dict[str, int]]] = {
    "text_classification/sms_spam.csv": ("csv", TEXT, 5_574),
    "text_classification/banking77_train.csv": ("csv", TEXT, 3_826),
    "text_classification/banking77_test.csv": ("csv", TEXT, 3_080),
    "ner/wnut17_train.conll": ("conll", TAGGED, 3_394),
    "ner/wnut17_dev.conll": ("conll", TAGGED, 1_009),
    "ner/wnut17_test.conll": ("conll", TAGGED, 1_287),
    "ner/wnut17_train.jsonl": ("jsonl", TAGGED, 3_394),
    "ner/wnut17_dev.jsonl": ("jsonl", TAGGED, 1_009),
    "ner/wnut17_test.jsonl": ("jsonl", TAGGED, 1_287),
    "ner": ("jsonl", TAGGED, {"train": 3_394, "validation": 1_009, "test": 1_287}),
    "extractive_qa/xquad_en_train.json": ("squad", ANSWERS, 925),
    "extractive_qa/xquad_en_dev.json": ("squad", ANSWERS, 265),
    "extractive_qa/xquad_en_train.jsonl": ("jsonl", ANSWERS, 925),
    "extractive_qa/xquad_en_dev.jsonl": ("jsonl", ANSWERS, 265),
    "extractive_qa/xquad_en_v2style_dev.json": ("squad", ANSWERS, 385),
    "nli/breaking_nli.csv": ("csv", PAIR, 2_529),
    "nli/med.csv": ("csv", PAIR, 5_382),
    "summarization/scitldr_a_train.jsonl": ("jsonl", SHORTER, 1_200),
    "summarization/scitldr_a_dev.jsonl": ("jsonl", SHORTER, 619),
    "summarization/scitldr_a_dev.csv": ("csv", SHORTER, 619),
    "summarization": ("jsonl", SHORTER, {"train": 1_200, "validation": 619}),
    "translation/wmt_en_de_train.jsonl": ("jsonl", TRANSLATED, 5_999),
    "translation/wmt_en_de_val.jsonl": ("jsonl", TRANSLATED, 50),
    "translation/wmt_en_de_val.csv": ("csv", TRANSLATED, 50),
    "translation": ("jsonl", TRANSLATED, {"train": 5_999, "validation": 50}),
    "instruct_chat/alpaca_en_demo.json": ("json", SFT, 999),
    "instruct_chat/alpaca_en_demo_300.csv": ("csv", SFT, 300),
    "instruct_chat/alpaca_en_demo_300.jsonl": ("jsonl", SFT, 300),
    "instruct_chat/alpaca_en_openai_messages.jsonl": ("jsonl", SFT, 999),
    "instruct_chat/alpaca_zh_demo_300.json": ("json", SFT, 300),
    "instruct_chat/glaive_toolcall_en_demo.json": ("json", SFT, 300),
    "instruct_chat/sharegpt_plain.json": ("json", SFT, 147),
    "instruct_chat/identity.json": ("json", SFT, 91),
    "instruct_chat/v1_sft_demo.jsonl": ("jsonl", SFT, 500),
    "instruct_chat/wiki_demo_pretrain.txt": ("text", PLAIN, 5),
    "preference/dpo_en_demo.json": ("json", DPO, 299),
    "preference/dpo_en_prompt_chosen_rejected.jsonl": ("jsonl", DPO, 299),
    "preference/kto_en_demo.json": ("json", KTO, 300),
    "preference/v1_dpo_demo.jsonl": ("jsonl", DPO, 10),
    "reasoning/gsm8k_train_2000.jsonl": ("jsonl", f"{SFT} {GRPO}", 2_000),
    "reasoning/gsm8k_test_500.jsonl": ("jsonl", f"{SFT} {GRPO}", 500),
    "reasoning": ("jsonl", f"{SFT} {GRPO}", {"train": 2_000, "test": 500}),
    "tabular/penguins.csv": ("csv", CLASSES, 344),
    "tabular/auto_mpg_regression.csv": ("csv", NUMBER, 398),
    "tabular/diamonds_6000_regression.csv": ("csv", NUMBER, 6_000),
    "tabular/telco_churn.csv": ("csv", CLASSES, 7_043),
    "tabular/sklearn_wine.csv": ("csv", CLASSES, 178),
    "tabular/sklearn_breast_cancer.csv": ("csv", CLASSES, 569),
    "image_classification": ("image-folder", PICTURE, {"train": 480, "test": 120}),
    "image_classification/sign_digits": ("image-folder", PICTURE, {"train": 480, "test": 120}),
    "image_classification/sign_digits/train": ("image-folder", PICTURE, 480),
    "object_detection": ("coco", FOUND, {"train": 144, "validation": 36}),
    "object_detection/bccd": ("coco", FOUND, {"train": 144, "validation": 36}),
    "object_detection/bccd/annotations": ("coco", FOUND, {"train": 144, "validation": 36}),
    "object_detection/bccd/annotations/instances_train.json": ("coco", FOUND, 144),
    "object_detection/bccd/data.yaml": ("yolo", FOUND, {"train": 144, "validation": 36}),
    "speech": ("csv", HEARD, 240),
    "speech/fsdd_a": ("csv", HEARD, 240),
    "speech/fsdd_a/metadata.csv": ("csv", HEARD, 240),
    "vqa/easy_vqa": ("jsonl", SEEN, {"train": 1_171, "test": 374}),
    "vqa/easy_vqa/train.csv": ("csv", SEEN, 1_171),
    "vqa/easy_vqa/train.jsonl": ("jsonl", SEEN, 1_171),
    "vqa/easy_vqa/test.csv": ("csv", SEEN, 374),
    "vqa/easy_vqa/test.jsonl": ("jsonl", SEEN, 374),
    "vqa/mllm_demo": ("json", SEEN, 6),
    "vqa/mllm_demo/mllm_demo.json": ("json", SEEN, 6),
    "video/mllm_video_demo": ("json", SEEN, 3),
    "video/mllm_video_demo/mllm_video_demo.json": ("json", SEEN, 3),
    "video/clips_by_class": ("video-folder", WATCHED, 30),
    "video/clips_by_class/labels.csv": ("csv", WATCHED, 30),
}
# What SOURCES.md says is wrong in them: rows that cannot be used.
UNUSABLE = {"translation/wmt_en_de_train.jsonl": 1, "translation": 1}


@pytest.mark.parametrize("name", SHARED)
def test_shared_data_is_understood(shared_data: Path, name: str) -> None:
    kind, first, rows = SHARED[name]
    profile = check_data(shared_data / name)
    assert (profile.format, " ".join(proposed(profile)[: len(first.split())])) == (kind, first)
    assert profile.task == first.partition(":")[0] and all(each.reason for each in profile.proposals)
    if isinstance(rows, dict):
        assert {part: counted["rows"] for part, counted in profile.stats["parts"].items()} == rows
    total = sum(rows.values()) if isinstance(rows, dict) else rows
    assert profile.rows == total
    assert profile.usable_rows == total - UNUSABLE.get(name, 0)
    if total >= 4:
        assert profile.ok, profile.errors
    else:
        assert [found.code for found in profile.errors] == ["too-few-rows"]


@pytest.mark.parametrize(
    ("name", "columns"),
    [
        ("ner/wnut17_train.conll", {"tokens": "tokens", "tags": "tags"}),
        ("extractive_qa/xquad_en_train.jsonl", {"context": "context", "question": "question", "answers": "answer"}),
        ("nli/med.csv", {"premise": "premise", "hypothesis": "hypothesis", "label": "label"}),
        ("summarization/scitldr_a_dev.csv", {"source": "text", "target": "summary"}),
        ("instruct_chat/alpaca_en_demo.json", {"instruction": "instruction", "input": "input", "output": "output"}),
        ("instruct_chat/glaive_toolcall_en_demo.json", {"messages": "conversations", "tools": "tools"}),
        ("preference/dpo_en_demo.json", {"messages": "conversations", "chosen": "chosen", "rejected": "rejected"}),
        ("preference/kto_en_demo.json", {"messages": "messages", "label": "label"}),
        ("preference/v1_dpo_demo.jsonl", {"chosen": "chosen_messages", "rejected": "rejected_messages"}),
        ("speech/fsdd_a", {"audio": "file_name", "transcript": "transcription"}),
        ("vqa/easy_vqa/train.csv", {"image": "image", "question": "question", "answer": "answer"}),
        ("vqa/mllm_demo", {"messages": "messages", "images": "images"}),
    ],
)
def test_roles_of_shared_data(shared_data: Path, name: str, columns: dict[str, str]) -> None:
    profile = check_data(shared_data / name)
    assert dict(profile.columns).items() >= columns.items()
    assert "guessed-role" not in codes(profile)


@pytest.mark.parametrize(
    "name", ["extractive_qa", "instruct_chat", "nli", "preference", "tabular", "text_classification", "video", "vqa"]
)
def test_folders_of_several_data_sets_name_them(shared_data: Path, name: str) -> None:
    profile = check_data(shared_data / name)
    assert not profile.ok and {found.code for found in profile.errors} == {"several-data-sets"}
    assert all((shared_data / name / found.where).exists() for found in profile.errors)
    assert all("Name it" in found.fix for found in profile.errors)


def test_every_shared_data_set_is_in_the_table(shared_data: Path) -> None:
    files = [path for ending in ("csv", "json", "jsonl", "conll", "txt") for path in shared_data.rglob(f"*.{ending}")]
    left_out = {"nasty", "logs", "labels"}
    missing = []
    for path in files:
        name = path.relative_to(shared_data)
        if not left_out & set(name.parts) and str(name) not in SHARED:
            missing.append(str(name))
    assert missing in ([], ["object_detection/bccd/annotations/instances_val.json"])


def test_every_task_of_the_desk_is_proposed_for_some_data() -> None:
    met = {known.says.partition(":")[0] for known in KNOWN} | {
        first.partition(":")[0] for _, first, _ in SHARED.values()
    }
    met |= {each.partition(":")[0] for known in KNOWN for each in known.also}
    assert met == {task.id for task in TASK_DATA}


# --- two languages -----------------------------------------------------------------------------------------------


def spoken(words: str, rows: int = 60) -> list[str]:
    return [" ".join(words.split()[(n * 7 + at * 3) % 8] for at in range(7)) + f" {n}" for n in range(rows)]


DE, EN = spoken("haus garten fluss berg wagen strasse baum hund"), spoken("alpha beta gamma delta eta iota zeta xi")
IDS = [str(n) for n in range(60)]


@pytest.mark.parametrize(
    ("columns", "pair"),
    [
        ({"de": DE, "en": EN}, ("de", "en")),
        ({"id": IDS, "en": EN, "de": DE}, ("en", "de")),
        ({"id": [f"a{n}" for n in IDS], "en": EN, "de": DE}, ("en", "de")),
        ({"translation.de": DE, "translation.en": EN, "id": IDS}, ("translation.de", "translation.en")),
        ({"en": EN, "de": DE, "score": [n / 7 for n in range(60)]}, ("en", "de")),
        ({"id": DE, "en": EN}, ("id", "en")),  # Indonesian
        ({"en": EN, "no": IDS}, None),
        ({"en": EN, "de": DE, "text": EN}, None),
        ({"it": ["yes", "no", "no"] * 20, "is": ["low", "high"] * 30, "score": IDS}, None),
    ],
)
def test_two_languages_beside_other_columns(columns: dict[str, list[Any]], pair: tuple[str, str] | None) -> None:
    rows = [dict(zip(columns, cells, strict=True)) for cells in zip(*columns.values(), strict=True)]
    table = summarise(Row(n, f"row {n}", row) for n, row in enumerate(rows, 1))
    wanted = dict(zip(("source", "target"), pair, strict=True)) if pair else None
    assert language_pair(table) == wanted
    proposals = propose_tasks(table, rows, "jsonl", {})
    assert (proposals[0].task == "translation") == (pair is not None)
    if wanted is not None:
        for task in ("translation", "text-generation"):
            assert propose_roles(find_data(task), table, {}).columns == wanted
            turned = {"source": wanted["target"], "target": wanted["source"]}
            assert propose_roles(find_data(task), table, {"source": wanted["target"]}).columns == turned
