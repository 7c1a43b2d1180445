"""The words and tags of a run: every scheme of tags becomes BIO, and what is odd about them is told."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from backends.contract import DataError
from backends.data import LabelledRows, load_split
from backends.formats.classes import merged_spellings
from backends.formats.tagged import bio_tags, entity_spans, names_each_word, tag_list, tag_type
from backends.job import Job
from backends.options import PreparationOptions, parse_settings
from backends.words import Decoder


@dataclass(frozen=True)
class Tagged:
    """Texts as words, with the tags of each."""

    words: list[list[str]]
    tags: list[list[str]]


@dataclass(frozen=True)
class Examples:
    """Both halves of the data, and the tags that are learned: O first, then B- and I- of each type in training."""

    train: Tagged
    evaluation: Tagged
    decoder: Decoder


def load_examples(job: Job) -> Examples:
    """The words and tags of both halves; every scheme of tags becomes BIO, classes of single words stay what they are.

    Raises DataError where the training tags are numbers without names, or all the same.
    """
    split = load_split(job)
    raw = [split.train.labels, split.evaluation.labels]
    if parse_settings(PreparationOptions, job.spec.preparation, "preparation").merge_spellings:
        raw = _with_merged_types(raw)
    seen = Counter(tag for tags in raw[0] for tag in tags)
    single = names_each_word(seen)
    ours, theirs = ([list(tags) if single else bio_tags(tags) for tags in rows] for rows in raw)
    known = Counter(tag for tags in ours for tag in tags)
    if all(tag.isdecimal() for tag in seen):
        raise DataError(
            "The tags are numbers",
            f"nothing says what {', '.join(sorted(seen)[:5])} stand for",
            "Write the names of the tags, such as B-person, I-person and O.",
        )
    if len(known) < 2:
        raise DataError(
            "There is one tag only to train on",
            f"every word of the training rows is tagged {next(iter(known), 'O')!r}",
            "Check the data with: forge-tui check",
        )
    unread = "O" if not single else known.most_common(1)[0][0]
    decoder = Decoder(learned_tags(known, single), unread)
    train = Tagged(_words(job, split.train), ours)
    evaluation = Tagged(_words(job, split.evaluation), theirs)
    _tell_unseen(job, evaluation, decoder)
    _tell_changed(job, raw, (ours, theirs))
    return Examples(train, evaluation, decoder)


def learned_tags(known: Mapping[str, int], single: bool) -> tuple[str, ...]:
    """Every tag the model can say: O, then B- and I- of each type, also where training has one of them only."""
    if single:
        return tuple(sorted(known))
    types = sorted({kind for tag in known if (kind := tag_type(tag)) is not None})
    return ("O", *(f"{letter}-{kind}" for kind in types for letter in "BI"))


def _words(job: Job, data: LabelledRows) -> list[list[str]]:
    column = job.spec.columns["tokens"]
    return [tag_list(row.get(column)) or [] for row in data.rows]


def _with_merged_types(raw: Sequence[list[list[str]]]) -> list[list[list[str]]]:
    """The tags with types that differ in case only turned into the most frequent of them in training."""
    counts = Counter(kind for rows in raw for tags in rows for tag in tags if (kind := tag_type(tag)) is not None)
    chosen = merged_spellings(counts)

    def merged(tag: str) -> str:
        kind = tag_type(tag)
        return tag if kind is None else tag.removesuffix(kind) + chosen[kind]

    return [[[merged(tag) for tag in tags] for tags in rows] for rows in raw]


def _tell_unseen(job: Job, evaluation: Tagged, decoder: Decoder) -> None:
    """Types that training never sees: their words stay in evaluation, where the model can only miss them."""
    spans = Counter(kind for tags in evaluation.tags for kind, *_ in entity_spans(tags))
    known = {tag_type(tag) for tag in decoder.tags}
    unseen = {kind: count for kind, count in spans.items() if kind not in known}
    if unseen:
        named = ", ".join(sorted(unseen)[:5])
        job.events.notice(
            f"{sum(unseen.values()):,} entities of the evaluation rows are of types that training never sees "
            f"({named}); they are kept and count as missed",
            "warning",
        )


def _tell_changed(job: Job, raw: Sequence[list[list[str]]], read: Sequence[list[list[str]]]) -> None:
    changed = sum(one != other for before, after in zip(raw, read) for one, other in zip(before, after))
    if changed:
        job.events.notice(f"the tags of {changed:,} rows were written in another scheme or order; they are read as BIO")
