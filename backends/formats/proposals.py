"""Which tasks data is for, best first, a sentence of reason each."""

from __future__ import annotations

import re
import statistics
from collections.abc import Mapping, Sequence
from typing import Any

from backends.contract import TaskProposal
from backends.formats.columns import Column, TableSummary
from backends.formats.language import is_dialogue, mark_of
from backends.formats.roles import (
    TEXT_KINDS,
    Roles,
    by_likelihood,
    by_name,
    could_be_classes,
    is_class_ids,
    language_pair,
    own_name,
    propose_roles,
    that_vary,
    twin_of,
)
from backends.formats.row_faults import answers_of
from backends.formats.shapes import ASKING_SHAPES, LANGUAGE_SHAPES
from backends.formats.tagged import tag_list
from backends.formats.values import as_text, normal_name
from backends.registry import find_data

Rows = Sequence[Mapping[str, Any]]

_SUMMARY_NAMES = ("summary", "highlights", "tldr", "headline", "abstract", "summarytext", "short")
_TRANSLATION_NAMES = ("translation", "translated", "translationtext")
_PROSE_NAMES = ("text", "content", "code", "document", "article", "passage", "story", "rawtext", "fulltext", "body")
_FEW_ANSWERS = 20
_REWARD = "a reward model learns to judge from the same pairs"


def propose_tasks(table: TableSummary, rows: Rows, kind: str, given: Mapping[str, str]) -> tuple[TaskProposal, ...]:
    """The tasks this data could be for; `rows` are some of its rows, `kind` its format."""
    by_format = _by_format(rows, kind)
    if by_format:
        return tuple(by_format)
    found: list[TaskProposal] = []
    for rule in (_media, _tagged, _preferences, _conversations, _contexts, _pairs, _transformations, _questions):
        found = rule(table, rows, given)
        if found:
            break
    if not found or found[0].task == "text-classification":
        labelled = _labelled_text(table, given) or _scored_text(table, given)
        found += [each for each in labelled if each.task not in {known.task for known in found}]
    if not found and not given and _is_prose_set(table):
        found = _plain_text(table, rows, given)
    if not found or found[0].task in ("text-classification",):
        if set(given) <= {"target"}:
            found += _tabular(table, given, after_text=bool(found))
    if not found:
        found = _plain_text(table, rows, given)
    return tuple(found)


def _is_prose_set(table: TableSummary) -> bool:
    """Whether there is a column of texts to read and none that is called an answer: texts with notes about them."""
    columns = list(table.columns.values())
    texts = [column for column in columns if column.kind == "text" and normal_name(column.name) in _PROSE_NAMES]
    return bool(texts) and not by_name("target", [column for column in columns if column not in texts])


def _by_format(rows: Rows, kind: str) -> list[TaskProposal]:
    if kind in ("coco", "yolo"):
        return [TaskProposal("object-detection", None, "pictures with boxes around objects of named classes")]
    if kind == "image-folder":
        return [TaskProposal("image-classification", None, "a folder of pictures for each class")]
    if kind == "audio-folder":
        return [TaskProposal("speech-recognition", None, _of_recordings(rows))]
    if kind == "video-folder":
        return [TaskProposal("video-classification", None, "a folder of clips for each class")]
    if kind == "fasttext":
        return [TaskProposal("text-classification", None, "each line begins with the class of its text")]
    if kind == "conllu":
        return [TaskProposal("token-classification", None, "each word stands with its part of speech")]
    if kind == "conll":
        return [TaskProposal("token-classification", None, "each word stands with its tag")]
    if kind == "squad":
        return _answers_in_contexts()
    if kind == "text":
        return _texts([as_text(row.get("text")) for row in rows])
    return []


def _of_recordings(rows: Rows) -> str:
    if not any("label" in row for row in rows):
        return "recordings; what is said in them is missing"
    return (
        "a folder of recordings for each class: no task here tells sounds apart; only where the folders are called "
        "what is said in them, as yes and no, can that be learned"
    )


def _answers_in_contexts() -> list[TaskProposal]:
    return [
        TaskProposal(
            "extractive-question-answering", None, "the answers are parts of the texts: a small model points at them"
        ),
        TaskProposal("text-generation", "sft", "a language model may answer in its own words from the same rows"),
    ]


def _texts(texts: Sequence[str]) -> list[TaskProposal]:
    if texts and sum(map(is_dialogue, texts)) > len(texts) / 2:
        return [TaskProposal("text-generation", "sft", "dialogues with [INST] marks; answers are learned")]
    reason = "plain texts: a model continues them; pre-training from scratch, or on with a model that is there"
    return [TaskProposal("text-generation", "pretrain", reason)]


def _roles(task: str, table: TableSummary, given: Mapping[str, str]) -> Roles | None:
    """The roles of a task where every one is filled, none of them by a guess."""
    data = find_data(task)
    if not given or set(given) <= set(data.roles) | set(data.optional):
        found = propose_roles(data, table, given)
        if set(data.roles) <= set(found.columns) and not found.guessed:
            return found
    return None


def _language(name: str, table: TableSummary, given: Mapping[str, str]) -> dict[str, str] | None:
    """The columns of one shape of language data, when names and content fill it."""
    shape = next(each for each in LANGUAGE_SHAPES if each.name == name)
    if set(given) - set(shape.roles):
        return None
    chosen = dict(given)
    for role in shape.needed:
        if role not in chosen:
            free = [column for key, column in table.columns.items() if key not in chosen.values()]
            fitting = by_name(shape.alias(role), free)
            if not fitting:
                return None
            chosen[role] = fitting[0].name
    return chosen


# --- the rules, most particular first ----------------------------------------------------------------------------


def _media(table: TableSummary, rows: Rows, given: Mapping[str, str]) -> list[TaskProposal]:
    kinds = {column.media for column in table.columns.values()} - {None}
    if not kinds:
        return []
    turns = any(column.holds == "turns" for column in table.columns.values())
    if turns and kinds & {"image", "video"}:
        what = "pictures" if "image" in kinds else "videos"
        return [TaskProposal("visual-question-answering", None, f"conversations about {what}")]
    if "image" in kinds:
        if any(column.holds == "boxes" for column in table.columns.values()):
            return [TaskProposal("object-detection", None, "pictures with boxes around objects")]
        questions = by_name("question", list(table.columns.values()))
        if questions and by_name("answer", [each for each in table.columns.values() if each is not questions[0]]):
            reason = f"{questions[0].name!r} asks about a picture, and each has its answer"
            return [TaskProposal("visual-question-answering", None, reason)]
        if set(given) <= {"image", "label"} and _named_classes(table, "label"):
            return [TaskProposal("image-classification", None, "each row names a picture and its class")]
    if "audio" in kinds and set(given) <= {"audio", "transcript"}:
        found = propose_roles(find_data("speech-recognition"), table, given)
        if len(found.columns) == 2:
            reason = f"{found.columns['transcript']!r} says what is said in each recording"
            return [TaskProposal("speech-recognition", None, reason)]
    if "video" in kinds and set(given) <= {"video", "label"} and _named_classes(table, "label"):
        return [TaskProposal("video-classification", None, "each row names a clip and its class")]
    if len(table.columns) == 1:
        return {
            "image": [TaskProposal("image-classification", None, "pictures; their classes are missing")],
            "audio": [TaskProposal("speech-recognition", None, "recordings; what is said in them is missing")],
            "video": [TaskProposal("video-classification", None, "videos; their classes are missing")],
        }[str(kinds.pop())]
    return []


def _named_classes(table: TableSummary, role: str) -> bool:
    columns = [column for column in table.columns.values() if column.media is None]
    return bool(by_name(role, columns)) or any(could_be_classes(column) for column in columns)


def _tagged(table: TableSummary, rows: Rows, given: Mapping[str, str]) -> list[TaskProposal]:
    found = _roles("token-classification", table, given)
    if found is None or table.columns[found.columns["tags"]].holds not in ("words", "numbers"):
        return []
    pairs = [(tag_list(row.get(found.columns["tokens"])), tag_list(row.get(found.columns["tags"]))) for row in rows]
    aligned = sum(bool(words) and bool(tags) and len(words or ()) == len(tags or ()) for words, tags in pairs)
    if aligned < 0.5 * len(pairs):
        return []
    reason = f"{found.columns['tags']!r} holds a tag for each word of {found.columns['tokens']!r}"
    return [TaskProposal("token-classification", None, reason)]


def _preferences(table: TableSummary, rows: Rows, given: Mapping[str, str]) -> list[TaskProposal]:
    if _language("preference", table, given) is not None:
        reason = "each row has a better and a worse answer: DPO teaches a model to prefer the better"
        return [
            TaskProposal("text-generation", "dpo", reason),
            TaskProposal("reward-modeling", None, _REWARD),
            TaskProposal("text-generation", "orpo", "the same in one step from a base model, without a reference"),
        ]
    for name in ("kto-messages", "kto"):
        columns = _language(name, table, given)
        marks = [mark_of(row.get(columns["label"])) for row in rows] if columns is not None else []
        if marks and sum(mark is not None for mark in marks) > 0.5 * len(marks):
            reason = "each answer is marked good or bad: KTO learns from single marks"
            sft = "the good answers alone, as examples to follow"
            return [TaskProposal("text-generation", "kto", reason), TaskProposal("text-generation", "sft", sft)]
    return []


def _conversations(table: TableSummary, rows: Rows, given: Mapping[str, str]) -> list[TaskProposal]:
    columns = _language("messages", table, given)
    if columns is None and _language("prompt-completion", table, given) is not None:
        return []
    if columns is None:
        turns = [column.name for column in table.columns.values() if column.holds == "turns"]
        if given or not turns:
            return []
        columns = {"messages": turns[0]}
    reason = f"{columns['messages']!r} holds conversations; the model learns the answers"
    return [TaskProposal("text-generation", "sft", reason)]


def _contexts(table: TableSummary, rows: Rows, given: Mapping[str, str]) -> list[TaskProposal]:
    found = _roles("extractive-question-answering", table, given)
    if found is None or any(normal_name(name) in ("instruction", "instructions") for name in table.columns):
        return []
    if normal_name(found.columns["context"]) == "text" or _is_yes_or_no(table.columns[found.columns["answers"]]):
        return []
    context, answers = found.columns["context"], found.columns["answers"]
    if table.columns[context].kind not in ("text", "identifier", "category", "constant"):
        return []
    firsts = [(answers_of({"answers": row.get(answers)})[0] or [""])[0] for row in rows]
    inside = sum(0 < len(said) and said in as_text(row.get(context)) for said, row in zip(firsts, rows))
    given_answers = sum(bool(said.strip()) for said in firsts)
    if given_answers and inside >= 0.5 * given_answers:
        return _answers_in_contexts()
    if _language("context-question", table, {}) is None:
        return []
    reason = "the answers are not words of the texts: a language model writes them"
    other = "only where answers stand in the text word by word"
    return [
        TaskProposal("text-generation", "sft", reason),
        TaskProposal("extractive-question-answering", None, other),
    ]


def _is_yes_or_no(column: Column) -> bool:
    return could_be_classes(column) and all(mark_of(example) is not None for example in column.examples)


def _pairs(table: TableSummary, rows: Rows, given: Mapping[str, str]) -> list[TaskProposal]:
    data = find_data("sentence-pair-classification")
    if set(given) - set(data.roles):
        return []
    pair = propose_roles(data, table, given)
    if set(pair.columns) != set(data.roles) or set(pair.guessed) - {"label"}:
        return []
    if not could_be_labels(table.columns[pair.columns["label"]]):
        return []
    reason = f"{pair.columns['premise']!r} and {pair.columns['hypothesis']!r} are two texts with one label"
    return [TaskProposal("sentence-pair-classification", None, reason)]


def could_be_labels(column: Column) -> bool:
    """Whether a column may hold the classes of texts."""
    return could_be_classes(column) or column.kind in ("constant", "category") or column.holds in ("words", "numbers")


def _transformations(table: TableSummary, rows: Rows, given: Mapping[str, str]) -> list[TaskProposal]:
    """Texts that become other texts: summaries, translations, anything else."""
    if _language("instruction", table, given) is not None and "source" not in given:
        return []
    pair = language_pair(table) or _language("source-target", table, given)
    if pair is None or set(pair) != {"source", "target"}:
        return []
    source, target = pair["source"], pair["target"]
    named = normal_name(target)
    strong = normal_name(source) in ("source", "src", "article", "document", "dialogue", "sourcetext")
    strong = strong or named in (*_SUMMARY_NAMES, *_TRANSLATION_NAMES, "tgt", "targettext", "simplified", "corrected")
    if not (strong or language_pair(table) or "source" in given) or not _is_prose(table.columns[target]):
        return []
    texts = [(as_text(row.get(source)), as_text(row.get(target))) for row in rows]
    texts = [(one, other) for one, other in texts if one.strip() and other.strip()]
    if not texts:
        return []
    ratio = statistics.median(len(other) / len(one) for one, other in texts)
    long = statistics.median(len(one) for one, _ in texts)
    generate = TaskProposal("text-generation", "sft", "a language model can learn the same as prompt and answer")
    general = TaskProposal("text-to-text", None, f"{source!r} becomes {target!r}, as any rewriting")
    if named in _SUMMARY_NAMES or (ratio < 0.5 and long > 300 and named not in _TRANSLATION_NAMES):
        reason = f"{target!r} is {ratio:.0%} as long as {source!r}: a summary"
        return [TaskProposal("summarization", None, reason), general, generate]
    if named in _TRANSLATION_NAMES or language_pair(table) or (0.3 < ratio < 3 and _overlap(texts) < 0.25):
        reason = f"{source!r} and {target!r} are about as long and share few words: two languages"
        return [TaskProposal("translation", None, reason), general, generate]
    return [general, generate]


def _is_prose(column: Column) -> bool:
    """Whether a column holds texts, not the names of a few classes."""
    return column.kind in TEXT_KINDS and (column.distinct > _FEW_ANSWERS or column.distinct > 0.5 * column.present)


def _overlap(texts: Sequence[tuple[str, str]]) -> float:
    """The share of longer words that both texts of a pair have, in the median pair."""
    shares = []
    for one, other in texts:
        first, second = (set(re.findall(r"[^\W\d_]{4,}", text.lower())) for text in (one, other))
        shares.append(len(first & second) / max(1, min(len(first), len(second))))
    return statistics.median(shares)


def _questions(table: TableSummary, rows: Rows, given: Mapping[str, str]) -> list[TaskProposal]:
    """Instructions, questions, prompts, inputs, each with what is to be answered."""
    for shape in by_likelihood(LANGUAGE_SHAPES, table):
        name, columns = shape.name, _language(shape.name, table, given)
        if columns is None or name not in ASKING_SHAPES or name == "context-question":
            continue
        if name == "source-target" and by_name("label", list(table.columns.values())):
            continue
        asked, answered = (columns[role] for role in shape.needed[:2])
        question, answer = table.columns[asked], table.columns[answered]
        if not (question.kind == "text" or asked in given.values() or own_name(asked) in _SURE_QUESTIONS):
            continue
        generate = TaskProposal(
            "text-generation", "sft", f"{asked!r} is asked and {answered!r} answers: the model learns the answers"
        )
        few = answer.distinct <= _FEW_ANSWERS and answer.distinct * 5 <= answer.present and answer.longest <= 40
        if few and name != "instruction" and could_be_labels(answer):
            reason = (
                f"{answered!r} has only {answer.distinct} different short answers: a classifier is smaller, faster "
                "and cannot answer anything else"
            )
            return [TaskProposal("text-classification", None, reason), generate]
        if answer.kind not in (*TEXT_KINDS, "nested", "number", "code", "date"):
            continue
        if name in ("input-output", "source-target") and answer.kind == "number":
            continue
        return [generate, *_reasoning(rows, answered)]
    return []


_SURE_QUESTIONS = ("instruction", "question", "prompt", "query", "q")


def _reasoning(rows: Rows, answered: str) -> list[TaskProposal]:
    marked = sum("####" in as_text(row.get(answered)) or "\\boxed" in as_text(row.get(answered)) for row in rows)
    if not rows or marked < 0.8 * len(rows):
        return []
    reason = "every answer ends in a final result that can be checked, so a model may learn by trying"
    return [TaskProposal("text-generation", "grpo", reason)]


def _labelled_text(table: TableSummary, given: Mapping[str, str]) -> list[TaskProposal]:
    if not set(given) <= {"text", "label"}:
        return []
    roles = propose_roles(find_data("text-classification"), table, given)
    if len(roles.columns) != 2:
        return []
    filled = sum(column.kind != "empty" for column in table.columns.values())
    text, label = table.columns[roles.columns["text"]], table.columns[roles.columns["label"]]
    named = "text" not in roles.guessed
    is_text = text.kind == "text" or (named and text.kind in TEXT_KINDS and filled <= 3)
    if not is_text or not could_be_labels(label) or ("label" in roles.guessed and filled > 3):
        return []
    reason = f"{text.name!r} holds texts and {label.name!r} a class for each"
    found = [TaskProposal("text-classification", None, reason)]
    if label.kind == "number" and label.distinct > 2:
        reason = f"{label.name!r} holds numbers; regression if their distance matters"
        found.append(TaskProposal("text-regression", None, reason))
    return found


def _scored_text(table: TableSummary, given: Mapping[str, str]) -> list[TaskProposal]:
    """Texts with a number for each, and hardly anything beside them."""
    if not set(given) <= {"text", "target"}:
        return []
    roles = propose_roles(find_data("text-regression"), table, given)
    if len(roles.columns) != 2:
        return []
    filled = sum(column.kind not in ("empty", "identifier") for column in table.columns.values())
    text, target = table.columns[roles.columns["text"]], table.columns[roles.columns["target"]]
    if (
        text.kind != "text"
        or target.kind != "number"
        or target.is_called_id
        or target.counts_up
        or (filled > 3 and not given)
    ):
        return []
    twin = twin_of(text.name, table)
    if twin is not None:
        reason = (
            f"{target.name!r} is a number for each pair of {text.name!r} and {twin!r}, and no task here scores pairs: "
            f"of the two only {text.name!r} is read"
        )
        return [TaskProposal("text-regression", None, reason)]
    return [TaskProposal("text-regression", None, f"{text.name!r} holds texts and {target.name!r} a number for each")]


def _tabular(table: TableSummary, given: Mapping[str, str], after_text: bool) -> list[TaskProposal]:
    columns = list(table.columns.values())
    named = [table.columns[given["target"]]] if given.get("target") in table.columns else by_name("target", columns)
    plausible = [each for each in columns if each.kind == "number" or could_be_classes(each)]
    named = named if given else that_vary(named, plausible)
    plausible = [each for each in plausible if not each.tells_rows_apart]
    target = named[0] if named else plausible[-1] if plausible else None
    if target is None or len(table.columns) < 2:
        return []
    others = _last_column(plausible, target) if named and not given else []
    if target.kind == "number" and not is_class_ids(target):
        reason = f"{target.name!r} is a number with {target.distinct:,} different values"
        return [TaskProposal("tabular-regression", None, reason), *others]
    if after_text and len(table.columns) <= 3:
        return []
    if target.kind == "text" and len(table.columns) == 1:
        return []
    values = "1 value only" if target.distinct == 1 else f"{target.distinct:,} different values"
    reason = f"{target.name!r} has {values}: classes"
    proposals = [TaskProposal("tabular-classification", None, reason)]
    if target.kind == "number" and target.distinct > 2:
        reason = f"{target.name!r} holds numbers; regression if their distance matters"
        proposals.append(TaskProposal("tabular-regression", None, reason))
    return [*proposals, *others]


def _last_column(plausible: Sequence[Column], target: Column) -> list[TaskProposal]:
    """The other reading of a table: not the column of a known name is the target, but the last one."""
    if not plausible or plausible[-1] is target or not could_be_classes(plausible[-1]):
        return []
    last = plausible[-1].name
    reason = f"if {last!r}, the last column of classes, is meant and not {target.name!r}: --map target={last}"
    return [TaskProposal("tabular-classification", None, reason)]


def _plain_text(table: TableSummary, rows: Rows, given: Mapping[str, str]) -> list[TaskProposal]:
    columns = _language("text", table, given)
    if columns is None:
        texts = [column for column in table.columns.values() if column.kind == "text"]
        if given or not texts:
            return []
        columns = {"text": max(texts, key=lambda column: column.characters).name}
    if table.columns[columns["text"]].kind != "text" and "text" not in given:
        return []
    return _texts([as_text(row.get(columns["text"])) for row in rows])
