"""What the desk says of data as a whole, once its rows were read: columns, parts, lengths, what was chosen."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from backends.formats.check_plan import COLUMN_CHOICES, Plan, check_choices
from backends.formats.check_request import CheckRequest
from backends.formats.classes import fewest_rows
from backends.formats.columns import LEFT_OUT_BECAUSE, TableSummary
from backends.formats.findings import CORRECT_IT, NOT_READ, Findings, is_lost_row
from backends.formats.parts import UNKNOWN_PART, part_of_name
from backends.formats.roles import twin_of
from backends.formats.shapes import shapes_of
from backends.formats.source import Dataset
from backends.formats.tally import BYTES_A_TOKEN, Tally, Texts

# Few models read more at once; where the context of a model is known, that is the limit.
LONGEST_USUAL = 8_192
# Characters of a cell that many encoders do not read to the end: 512 tokens.
_LONG_CELL = 512 * BYTES_A_TOKEN
# Formats whose columns carry no names of a person's own, so that nothing was guessed from them.
_NAMELESS = (
    "text",
    "conll",
    "conllu",
    "fasttext",
    "squad",
    "coco",
    "yolo",
    "image-folder",
    "video-folder",
    "audio-folder",
)

_FOLDERS = "Put the files of each class into a folder named after it, and name the folder above."
_SPOKEN = "Write a metadata.csv beside them with the columns file_name and transcription."
# What to do with files that come alone, without a word of what is to be learned from them.
_LOOSE_FILES = {
    "image": ("one picture is no data set", _FOLDERS),
    "image-folder": ("the pictures lie in no class folders, so nothing says what is to be learned", _FOLDERS),
    "video": ("one video is no data set", _FOLDERS),
    "video-folder": ("the videos lie in no class folders, so nothing says what is to be learned", _FOLDERS),
    "audio": ("one recording is no data set", _SPOKEN),
    "audio-folder": ("nothing says what is spoken in the recordings", _SPOKEN),
}


@dataclass(frozen=True)
class Evidence:
    """What one reading of the data brought together."""

    request: CheckRequest
    dataset: Dataset
    plan: Plan
    table: TableSummary
    tally: Tally
    texts: Texts | None = None
    model_limit: int | None = None

    @property
    def findings(self) -> Findings:
        """Where what is found is noted."""
        return self.tally.findings


def says_nothing(evidence: Evidence) -> bool:
    """Whether there is nothing to judge: no rows, or one column that always says the same."""
    source, table = evidence.dataset.first, evidence.table
    name = source.path.name
    if not table.rows:
        where = f"column {source.columns[0]}" if source.columns else name
        names = f"; the columns are {', '.join(source.columns[:12])}" if source.columns else ""
        if unread := sum(evidence.findings.counts[code] for code in NOT_READ):
            faulty = f"each of its {unread:,} rows" if unread > 1 else "its only row"
            what = f"{name} has 0 examples: {faulty} is faulty"
            fix = "Correct the rows; what is wrong with them is told below, or by forge-tui check."
        else:
            what, fix = f"{name} has 0 examples{names}", "Add rows below the header." if names else "Add rows."
        evidence.findings.error("no-rows", what, where, fix)
        return True
    only = next(iter(table.columns.values())) if len(table.columns) == 1 else None
    if only is not None and only.distinct <= 1 and only.media is None and only.holds is None:
        evidence.findings.error(
            "nothing-to-learn",
            f"there is one column, {only.name!r}, with one distinct value: nothing to learn and no target",
            f"column {only.name}",
            "Add the columns to learn from and the one to predict.",
        )
        return True
    return False


def say_no_task(evidence: Evidence) -> None:
    """The error that nothing can be learned from these columns, as far as their names and contents tell."""
    columns = evidence.table.columns
    for name, column in columns.items():
        if column.longest > _LONG_CELL:
            evidence.findings.warn(
                "very-long",
                f"{name!r} holds texts of up to {column.longest:,} characters, about "
                f"{column.longest // BYTES_A_TOKEN:,} tokens; many encoders read 512 at once, most other models "
                f"{LONGEST_USUAL:,}",
                f"column {name}",
                "What is beyond is cut; divide the texts, or choose a model that reads more.",
            )
    _note_codes(evidence)
    kinds = ", ".join(f"{name} ({column.kind})" for name, column in list(columns.items())[:12])
    empty = next((name for name, column in columns.items() if column.kind == "empty"), None)
    if empty is not None:
        evidence.findings.error(
            "empty-column", f"column {empty!r} is empty in every row", f"column {empty}", "Fill it."
        )
        return
    evidence.findings.error(
        "no-task",
        f"no task fits these columns: {kinds}",
        f"column {next(iter(columns), '?')}",
        "Say what to do with --task and which column is what with --map role=column.",
    )


def judge_roles(evidence: Evidence) -> None:
    """Whether every role has its column, and what was guessed on the way."""
    task, roles, findings = evidence.plan.task, evidence.plan.roles, evidence.findings
    assert task is not None
    if evidence.plan.shape is None:
        shapes = "; ".join(f"{', '.join(shape.needed)}" for shape in shapes_of(task))
        findings.error(
            "no-column-for-role",
            f"no columns hold what {task.id} reads; the columns are {', '.join(list(evidence.table.columns)[:20])}",
            "the header",
            f"Rows hold one of these: {shapes}. Name them with --map role=COLUMN.",
        )
        return
    for role in evidence.plan.shape.needed:
        if role not in roles.columns and evidence.dataset.format in _LOOSE_FILES:
            what, fix = _LOOSE_FILES[evidence.dataset.format]
            findings.error("no-classes", f"{evidence.dataset.path.name}: {what}", role, fix)
        elif role not in roles.columns:
            findings.error(
                "no-column-for-role",
                f"no column could be the {role}; the columns are {', '.join(list(evidence.table.columns)[:20])}",
                f"role {role}",
                f"Name it: --map {role}=COLUMN",
            )
        elif role in roles.guessed and evidence.dataset.format not in _NAMELESS:
            findings.warn(
                "guessed-role",
                f"{roles.columns[role]!r} was taken as the {role} by its content, not by its name",
                f"column {roles.columns[role]}",
                f"Name another with --map {role}=COLUMN",
            )
    for role, others in dict(roles.others).items():
        findings.warn(
            "other-reading",
            f"{roles.columns[role]!r} was taken as the {role}; by its name {others[0]!r} could be it too",
            f"column {others[0]}",
            f"If that is the {role}: --map {role}={others[0]}",
        )
    _judge_recordings(evidence)
    _note_twin(evidence)
    _note_codes(evidence)
    _note_marked_numbers(evidence)
    if task.is_tabular:
        _judge_dirty_numbers(evidence)
        _note_signs(evidence)


def _judge_recordings(evidence: Evidence) -> None:
    """Classes of recordings are no transcripts; who asks for that task says that they are."""
    folder, request = evidence.dataset, evidence.request
    if folder.format != "audio-folder" or evidence.plan.roles.columns.get("transcript") != "label":
        return
    what = f"{folder.path.name} has a folder of recordings for each class, which is classification of sounds"
    if request.task is None and not request.columns:
        evidence.findings.error(
            "classes-of-recordings",
            f"{what}; no task here learns that, and speech recognition needs what is said in each recording",
            "role transcript",
            f"{_SPOKEN} Are the folders called what is said in them, use --task speech-recognition",
        )
    else:
        evidence.findings.warn(
            "classes-of-recordings",
            f"{what}; the name of its folder is taken for what is said in each recording",
            "role transcript",
            f"Is something else said: {_SPOKEN[0].lower()}{_SPOKEN[1:]}",
        )


def _note_twin(evidence: Evidence) -> None:
    """Say that a task of one text reads only one of the two that stand in a pair."""
    task, text = evidence.plan.task, evidence.plan.roles.columns.get("text")
    if task is None or task.reads != "text" or task.label_role is None or text not in evidence.table.columns:
        return
    twin = twin_of(text, evidence.table)
    if twin is not None:
        fix = "Put both texts into one column"
        fix += "." if task.numeric_label else ", or use --task sentence-pair-classification."
        evidence.findings.warn(
            "second-text",
            f"{twin!r} is not read, though it is paired with {text!r}: {task.id} reads one text",
            f"column {twin}",
            fix,
        )


def _note_marked_numbers(evidence: Evidence) -> None:
    """Say which columns would be numbers, were it not for the marks in them."""
    for name, column in evidence.table.columns.items():
        if column.has_marks:
            example = next(iter(column.examples), "")
            is_feature = (
                evidence.plan.task is not None
                and evidence.plan.task.is_tabular
                and name != evidence.plan.roles.columns.get("target")
            )
            unused = " and is not used" if is_feature and column.kind in LEFT_OUT_BECAUSE else ""
            evidence.findings.warn(
                "marked-numbers",
                f"{name!r} looks like numbers with marks, such as {example[:30]!r}; it was read as words{unused}",
                f"column {name}",
                "Write plain numbers such as 501221.67, without signs of currency, per cent or thousands.",
            )


def _note_codes(evidence: Evidence) -> None:
    """Say which columns of digits are no numbers: a number would lose their zeros or their last digits."""
    for name, column in evidence.table.columns.items():
        if column.kind in ("code", "identifier") and column.are_codes:
            why = "numbers above 64 bit" if column.beyond_64_bit else "leading zeros or very long numbers"
            example = column.code_example or ""
            evidence.findings.warn(
                "kept-as-text",
                f"{name!r} holds {why}, such as {example[:30]}: it is kept as text, no digit is lost",
                f"column {name}",
                "Nothing to do.",
            )


def _note_signs(evidence: Evidence) -> None:
    """Say how the dots and commas of numbers were read where they can be read in two ways, and where words are."""
    for name, column in evidence.table.columns.items():
        if column.kind == "number" and column.dots_may_be_thousands:
            evidence.findings.warn(
                "dots-as-thousands",
                f"{name!r} has {column.dotted_example} beside whole numbers: its dot was read as a decimal point",
                f"column {name}",
                "If dots mark thousands, delete them from the file: the numbers are 1,000 times too small otherwise.",
            )
        if column.kind == "number" and column.comma_example is not None:
            evidence.findings.warn(
                "decimal-comma",
                f"the commas of {name!r} were read as decimal points, such as in {column.comma_example}",
                f"column {name}",
                "Nothing to do, unless the commas mark thousands: then delete them from the file.",
            )
        if column.kind in ("category", "text", "identifier") and column.present / 2 <= column.numbers < column.present:
            where, word = next(iter(column.not_numbers), (f"column {name}", "words"))
            evidence.findings.warn(
                "numbers-and-words",
                f"{name!r} holds numbers and words, such as {word!r}: it was read as words",
                where,
                "To use it as a number, write numbers only and leave a cell empty where there is none.",
            )


def _judge_dirty_numbers(evidence: Evidence) -> None:
    """Name the cells that are no numbers in columns of numbers."""
    for name, column in evidence.table.columns.items():
        if name == evidence.plan.roles.columns.get("target") or not column.dirty:
            continue
        for where, text in column.not_numbers:
            message = f"{name!r} holds numbers, but here {text!r}"
            evidence.findings.warn("not-a-number", message, where, "It counts as missing; correct it to use it.")
        evidence.findings.count("not-a-number", column.dirty - len(column.not_numbers))


def judge_parts(evidence: Evidence) -> None:
    """Whether every part has rows to score on, and whether an evaluation file lies beside that nobody named."""
    tally = evidence.tally
    unknown = tally.read[UNKNOWN_PART]
    if unknown:
        evidence.findings.warn(
            "unknown-part",
            f"in {unknown:,} rows {evidence.dataset.part_column!r} names no part that is known",
            f"column {evidence.dataset.part_column}",
            "They are neither trained on nor scored; write train, validation or test.",
        )
    for name in set(tally.read) - {UNKNOWN_PART, evidence.dataset.training_part}:
        if tally.usable[name] > 0:
            continue
        if tally.options.drop_duplicates and tally.copies[name]:
            evidence.findings.error(
                "no-evaluation-rows",
                f"every row of the {name} part stands in the training data too, so drop_duplicates leaves none to "
                "score on",
                f"{name} part",
                "Name other rows to score on, or name none: then some of the training rows are held out.",
            )
        elif tally.read[name]:
            evidence.findings.error(
                "no-evaluation-rows",
                f"none of the {tally.read[name]:,} rows of the {name} part can be used",
                f"{name} part",
                "Give it the same columns and labels as the training part.",
            )
    dataset, path = evidence.dataset, evidence.request.path
    alone = len(dataset.parts) == 1 and dataset.part_column is None and evidence.request.eval_path is None
    beside = _evaluation_beside(path) if alone and path.is_file() else None
    if beside is not None:
        evidence.findings.warn(
            "evaluation-beside",
            f"{beside.name} beside it looks like the evaluation part",
            beside.name,
            f"To score on it: --eval-data {beside.name}",
        )


def judge_lengths(evidence: Evidence) -> None:
    """Which texts are longer than a model reads at once."""
    texts = evidence.texts
    if texts is None or not evidence.plan.reads_text:
        return
    known = evidence.request.longest or evidence.model_limit
    if known is None and evidence.plan.shape is not None and evidence.plan.shape.name == "text":
        return  # plain texts are put together and divided anyway
    limit = known or LONGEST_USUAL
    code = "longer-than-context" if known else "very-long"
    what = "the model reads" if known else "most models read"
    for where, count in texts.longer_than(limit):
        evidence.findings.warn(
            code,
            f"{'about ' if texts.tokens is None else ''}{count:,} tokens; {what} {limit:,} at once",
            where,
            "What is beyond is cut; divide the text, or choose a model that reads more.",
        )


def judge_preparation(evidence: Evidence) -> None:
    """Whether the columns that were chosen for something are there and hold what that needs."""
    check_choices(evidence.request.preparation, evidence.table)  # for rows whose first ones told no columns
    kinds = {"quality_column": ("number",), "weight_column": ("number",), "time_column": ("number", "date")}
    for option in COLUMN_CHOICES:
        name = getattr(evidence.request.preparation, option)
        if name is not None and evidence.table.columns[name].kind not in (*kinds.get(option, ()), "constant"):
            if option in kinds:
                evidence.findings.error(
                    "wrong-kind",
                    f"{name!r} cannot be the {option}: it holds {evidence.table.columns[name].kind}, "
                    f"not {' or '.join(kinds[option])}",
                    f"column {name}",
                    "Choose another column.",
                )
    group = evidence.request.preparation.group_column
    if group is not None and evidence.table.columns[group].distinct < 2:
        evidence.findings.error(
            "one-group",
            f"{group!r} has the same value in every row, so nothing can be held out",
            f"column {group}",
            "Choose another column, or leave group_column out.",
        )
    if evidence.tally.filtered:
        evidence.tally.stats["filtered"] = dict(evidence.tally.filtered)
    low, usable = sum(evidence.tally.low_quality.values()), evidence.tally.usable["train"]
    if low and usable - low < fewest_rows(evidence.tally) <= usable:
        evidence.findings.error(
            "low-quality",
            f"{low:,} of {usable:,} training rows are left out by {evidence.request.preparation.quality_column!r}; "
            f"at least {fewest_rows(evidence.tally)} must be left to train and evaluate",
            f"column {evidence.request.preparation.quality_column}",
            "Choose a lower quality_from, or another column.",
        )
    if evidence.tally.low_quality:
        evidence.tally.stats["low_quality"] = dict(evidence.tally.low_quality)


def judge_stopping(evidence: Evidence) -> None:
    """Where no run may start while a row cannot be used, rows that could not even be read stop it too."""
    if evidence.request.preparation.bad_rows != "stop":
        return
    for found in evidence.findings.warnings():
        if is_lost_row(found, evidence.dataset.format):
            evidence.findings.error(f"{found.code}-stops", found.message, found.where, CORRECT_IT)


def _evaluation_beside(path: Path) -> Path | None:
    """A file of the same name but for its part, such as `x_test.csv` beside `x_train.csv`."""
    stem, part = part_of_name(path.name.removesuffix("".join(path.suffixes)))
    if part != "train":
        return None
    found: dict[str, Path] = {}
    try:
        for other in sorted(path.parent.iterdir()):
            if other.suffixes == path.suffixes and other != path:
                other_stem, other_part = part_of_name(other.name.removesuffix("".join(other.suffixes)))
                if other_stem.lower() == stem.lower() and other_part in ("validation", "test"):
                    found.setdefault(other_part, other)
    except OSError:
        return None
    return found.get("validation") or found.get("test")
