"""Which column plays which role of a task: by what was given, by its name, by its content."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from backends.contract import UsageError, nearest
from backends.formats.columns import ID_NAMES, Column, TableSummary
from backends.formats.shapes import ASKING_SHAPES, Shape, for_strategy, shapes_of
from backends.formats.values import normal_name
from backends.registry import TaskData

# Names as people write them, best first; case, spaces and punctuation do not count.
ALIASES: dict[str, list[str]] = {
    "text": (
        "text sentence message msg content review comment body tweet description document utterance query question "
        "input post title subject headline abstract sms email ticket transcript actualtext story passage paragraph "
        "reviewtext reviewbody fulltext rawtext cleantext prompt instruction note notes complaint feedback"
    ).split(),
    "label": (
        "label labels goldlabel class classes category categories target tag intent sentiment topic y team department "
        "queue status type genre emotion rating stars spam toxic classification polarity verdict relation priority "
        "isduplicate entailmentjudgment annotation classlabel labelname kind language score desirable preferred "
        "thumbsup isgood"
    ).split(),
    "premise": "premise sentence1 text1 texta sentencea question1 context first s1 claim1 query question".split(),
    "hypothesis": "hypothesis sentence2 text2 textb sentenceb question2 claim second s2 passage sentence".split(),
    "target": (
        "target label class outcome response result output churn churned price saleprice survived species diagnosis "
        "quality default fraud isfraud income salary medianhousevalue medv mpg score category y exited attrition "
        "converted clicked defaulted approved cancelled medhouseval charges sales demand rentals"
    ).split(),
    "tokens": "tokens words token word sentence tokenized wordlist text".split(),
    "tags": "tags nertags labels ner netags tag iob bio bioes entities postags pos chunktags label".split(),
    "context": "context passage paragraph document article background evidence text knowledge reference".split(),
    "question": "question query questions ask problem prompt instruction userquestion q".split(),
    "answers": "answers answer answertext gold response output a".split(),
    "answer": "answer answers response solution output completion reply goldanswer finalanswer a target label".split(),
    "answer_start": "answerstart start answeroffset offset startindex startchar charstart".split(),
    "source": (
        "source src article document dialogue input text original sourcetext english en long body content passage"
    ).split(),
    "target_text": (
        "target tgt summary highlights tldr abstract headline output translation simplified corrected targettext "
        "reference short summarytext completion response rewrite paraphrase code"
    ).split(),
    "prompt": "prompt instruction query question input user human request context prompttext inputs".split(),
    "completion": "completion response answer output reply assistant generation target result completiontext".split(),
    "messages": (
        "messages conversations conversation dialogue dialog chat turns messagelist data chosenmessages history items"
    ).split(),
    "instruction": "instruction instructions task command request prompt".split(),
    "input": "input inputs context additionalinput inputtext userinput source".split(),
    "output": "output outputs response answer completion target result reply outputtext".split(),
    "system": "system systemprompt systemmessage persona role".split(),
    "history": "history pastturns previousturns".split(),
    "tools": "tools functions toollist functiondefinitions availabletools".split(),
    "chosen": "chosen chosenmessages chosenresponse preferred accepted good better winner positive".split(),
    "rejected": ("rejected rejectedmessages rejectedresponse dispreferred bad worse loser negative".split()),
    "desirable": "label desirable ktotag kto thumbsup preferred isgood good feedback liked score".split(),
    "image": "image images imagepath img picture photo filename file filepath path imageid imagefile jpg png".split(),
    "images": "images image imagepaths pictures videos video".split(),
    "audio": "audio audiopath wav recording speech sound clip filename file filepath path audiofile".split(),
    "video": "video videopath clip movie filename file filepath path videofile mp4".split(),
    "transcript": "transcript transcription text sentence utterance normalizedtext caption label".split(),
    "boxes": "boxes objects annotations bboxes bbox detections".split(),
}
# Above this many different whole numbers a target is a quantity, below it may be a class id.
MOST_CLASS_IDS = 20
# A column that is called a text is one, however short, repeated or empty its cells are.
TEXT_KINDS = ("text", "category", "identifier", "constant", "empty")
_TEXT_ROLES = (
    "text premise hypothesis context question source target_text prompt completion instruction input output system "
    "transcript answer"
).split()
# What may be found in objects of a row by the name of its key; other names say too little there.
_ROLES_IN_OBJECTS = "question answer prompt completion instruction output context chosen rejected messages".split()
_LANGUAGE = re.compile(
    r"(?:en|de|fr|es|it|pt|nl|ru|zh|ja|ko|ar|hi|tr|pl|cs|sv|fi|da|no|hu|ro|el|he|uk|vi|th|id|bg|hr|sk|sl|lt|lv|et)"
    r"(?:[-_]\w+)?|english|german|french|spanish|italian|portuguese|dutch|russian|chinese|japanese|korean|arabic|hindi"
    r"|turkish|polish|czech|swedish|finnish|danish|norwegian|hungarian|romanian|greek|hebrew|ukrainian|vietnamese"
)
_SURE_LABELS = ("label", "labels", "target", "class", "outcome", "goldlabel")
# What a column must hold to play a role, where its name alone would often be wrong.
_HOLDS = {
    "messages": ("turns",),
    "prompt": ("turns", "turn"),
    "completion": ("turns", "turn"),
    "history": ("turns", "pairs"),
    "tokens": ("words",),
    "tags": ("words", "numbers"),
    "boxes": ("boxes",),
}
_MEDIA_ROLES = {"image": "image", "audio": "audio", "video": "video"}


@dataclass(frozen=True)
class Roles:
    """Which column plays which role; `guessed` holds the roles that no name gave away, `others` what else could be."""

    columns: Mapping[str, str]
    guessed: tuple[str, ...] = ()
    others: Mapping[str, tuple[str, ...]] = ()  # type: ignore[assignment]
    shape: Shape | None = None


def twin_of(name: str, table: TableSummary) -> str | None:
    """The other text of a pair: `sentence2` beside `sentence1`, `text_b` beside `text_a`, hypothesis beside premise."""
    wanted = _twin_name(normal_name(name))
    found = (column for other, column in table.columns.items() if normal_name(other) == wanted and other != name)
    twin = next(found, None) if table.columns[name].kind in TEXT_KINDS else None
    return twin.name if twin is not None and twin.kind in ("text", "identifier") else None


def _twin_name(name: str) -> str | None:
    for one, other in (("premise", "hypothesis"), ("hypothesis", "premise")):
        if name == one:
            return other
    ending = {"1": "2", "2": "1", "a": "b", "b": "a"}.get(name[-1:])
    return name[:-1] + ending if ending is not None else None


def language_pair(table: TableSummary) -> dict[str, str] | None:
    """Source and target where two columns of texts are called after languages, and no other column is a text."""
    codes = {name: name.rpartition(".")[2].lower() for name in table.columns}
    named = [name for name, code in codes.items() if _LANGUAGE.fullmatch(code) and table.columns[name].holds is None]
    named = [name for name in named if table.columns[name].kind in _spoken_kinds(codes[name])]
    others = [column for name, column in table.columns.items() if name not in named]
    if len(named) != 2 or any(column.kind in ("text", "nested") for column in others):
        return None
    noted = [column for column in others if column.kind not in ("identifier", "constant", "empty")]
    if any(normal_name(column.name.rpartition(".")[2]) not in ID_NAMES for column in noted):
        if any(table.columns[name].kind != "text" for name in named):
            return None  # short words beside other columns: a table whose columns happen to be called so
    return {"source": named[0], "target": named[1]}


def _spoken_kinds(code: str) -> tuple[str, ...]:
    """What a column of a language holds; `id` and `no` name rows far more often than Indonesian and Norwegian."""
    return ("text",) if code in ID_NAMES else TEXT_KINDS


def propose_roles(task: TaskData, table: TableSummary, given: Mapping[str, str], strategy: str | None = None) -> Roles:
    """Fill every role of a task from what was given, from names and from content; `strategy` narrows the shapes.

    Raises UsageError for a column or role that does not exist or is named twice; a role that nothing fits is left out.
    """
    shapes = shapes_of(task)
    _check_given(task, shapes, table, given)
    if "source" in task.roles or (task.id == "text-generation" and set(given) <= {"source", "target"}):
        given = _with_languages(table, given)
    shapes = by_likelihood(for_strategy(shapes, strategy), table)
    best: Roles | None = None
    for shape in shapes:
        if set(given) - set(shape.roles):
            continue
        found = _fill(task, shape, table, given)
        if set(shape.needed) <= set(found.columns):
            if not found.guessed or len(shapes) == 1:
                return found
            best = best or found
        elif best is None and len(shapes) == 1:
            best = found
    return best or Roles(dict(given))


def _with_languages(table: TableSummary, given: Mapping[str, str]) -> Mapping[str, str]:
    """What was given, and the two languages of a table that has them for what was not."""
    pair = language_pair(table) or {}
    roles = [role for role in pair if role not in given]
    return {**given, **dict(zip(roles, [name for name in pair.values() if name not in given.values()]))}


def by_likelihood(shapes: Sequence[Shape], table: TableSummary) -> tuple[Shape, ...]:
    """The shapes in the order to try them: of those that ask and answer, the one first whose names fit best."""
    names = {normal_name(name) for name in table.columns} | {own_name(name) for name in table.columns}

    def distance(shape: Shape) -> float:
        """How far down the lists of names those of the columns stand, on average over the needed roles."""
        places = []
        for role in shape.needed:
            aliases = ALIASES[shape.alias(role)]
            places.append(next((place for place, alias in enumerate(aliases) if alias in names), 1_000))
        return sum(places) / len(places)

    asking = sorted((shape for shape in shapes if shape.name in ASKING_SHAPES), key=distance)
    waiting = iter(asking)
    return tuple(next(waiting) if shape.name in ASKING_SHAPES else shape for shape in shapes)


def _check_given(task: TaskData, shapes: Sequence[Shape], table: TableSummary, given: Mapping[str, str]) -> None:
    names = tuple(table.columns)
    known = tuple(dict.fromkeys(role for shape in shapes for role in shape.roles))
    for role, column in given.items():
        if role not in known:
            raise UsageError(
                f"{task.id} has no role {role!r}",
                f"its roles are {', '.join(known)}",
                f"Correct it{nearest(role, known)}.",
            )
        if column not in table.columns:
            raise UsageError(
                f"There is no column {column!r}",
                f"the columns are {', '.join(names[:30])}",
                f"Correct it{nearest(column, names)}.",
                where=column,
            )
        if list(given.values()).count(column) > 1:
            raise UsageError(
                f"The column {column!r} cannot play two roles",
                f"{' and '.join(other for other in given if given[other] == column)} are different things",
                f"Name another: --map {role}=COLUMN",
                where=column,
            )
    if given and not any(set(given) <= set(shape.roles) for shape in shapes):
        told = "; ".join(", ".join(shape.needed) for shape in shapes)
        raise UsageError(
            f"{task.id} has no data with the roles {', '.join(given)}",
            f"rows hold one of these: {told}",
            "Give the roles of one of them.",
        )


def _fill(task: TaskData, shape: Shape, table: TableSummary, given: Mapping[str, str]) -> Roles:
    chosen = dict(given)
    guessed: list[str] = []
    others: dict[str, tuple[str, ...]] = {}
    for role in shape.roles:
        if role in chosen:
            continue
        free = [column for name, column in table.columns.items() if name not in chosen.values()]
        named = by_name(shape.alias(role), free)
        if role == "target" and task.is_tabular:
            named = [column for column in named if _suits(task, column)] or (
                [] if any(_suits(task, column) for column in free) else named
            )
            named = that_vary(named, [column for column in free if _suits(task, column)])
        found = named[0] if named else None
        if found is None and role in shape.needed:
            found = _by_content(role, task, shape, free)
            if found is not None:
                guessed.append(role)
        if found is not None:
            chosen[role] = found.name
            alike = tuple(column.name for column in named[1:] if _is_as_likely(role, column))
            if alike and role in shape.needed and shape.alias(role) == role:
                others[role] = alike
    return Roles(chosen, tuple(guessed), others, shape)


def that_vary(named: list[Column], suiting: list[Column]) -> list[Column]:
    """Without columns of one value, where others could be the target and the name is not a sure sign."""
    if all(column.kind == "constant" for column in suiting):
        return named
    return [column for column in named if column.kind != "constant" or normal_name(column.name) in _SURE_LABELS]


def by_name(role: str, columns: Sequence[Column]) -> list[Column]:
    """The columns whose name and content fit a role, best first; those of objects in the rows come last."""
    usable = {normal_name(column.name): column for column in reversed(columns)}
    fitting = [usable[alias] for alias in ALIASES[role] if alias in usable]
    if role in _ROLES_IN_OBJECTS:
        inner = {own_name(column.name): column for column in reversed(columns) if "." in column.name}
        fitting += [inner[alias] for alias in ALIASES[role] if alias in inner and inner[alias] not in fitting]
    return [column for column in fitting if fits(role, column)]


def own_name(name: str) -> str:
    """The name of a column, or of the key where it is one of an object: `q` of `data.q`."""
    return normal_name(name.rpartition(".")[2])


def fits(role: str, column: Column) -> bool:
    """Whether what a column holds can play a role."""
    if role in _HOLDS:
        as_words = role in ("tokens", "tags", "prompt", "completion") and column.holds is None
        number = role == "completion" and column.kind in ("number", "code", "date")
        return column.holds in _HOLDS[role] or (as_words and (column.kind in TEXT_KINDS or number))
    if role == "label":
        return _fits_label(column)
    if role in _MEDIA_ROLES:
        return column.media == _MEDIA_ROLES[role]
    if role == "images":
        return column.media in ("image", "video")
    if role in ("chosen", "rejected"):
        return column.holds in ("turns", "turn") or column.kind in TEXT_KINDS
    if role == "answers":
        return column.holds in ("answers", "words") or column.kind in (*TEXT_KINDS, "number", "code", "date")
    if role == "tools":
        return column.holds is not None or column.kind in TEXT_KINDS
    if role == "desirable":
        return column.kind in ("number", "category", "constant") and column.distinct <= 2
    if role in _TEXT_ROLES:
        if role == "answer" and column.holds in (None, "answers"):
            return True
        return column.holds == "words" or (column.holds is None and column.kind in TEXT_KINDS)
    return column.holds is None or role == "answer_start"


def _suits(task: TaskData, column: Column) -> bool:
    """Whether a column can be the target of a task on tables: classes for the one, numbers for the other."""
    return column.kind == "constant" or (column.kind == "number" if task.numeric_label else could_be_classes(column))


def _fits_label(column: Column) -> bool:
    """Whether a column of such a name holds classes; one that is called label is believed, whatever it holds."""
    if normal_name(column.name) in _SURE_LABELS:
        return column.holds in (None, "words", "numbers")
    return column.holds is None and column.media is None and column.kind != "constant" and could_be_classes(column)


def _is_as_likely(role: str, column: Column) -> bool:
    """Whether a second column of a fitting name is worth a word: it is a text, or it is called the answer."""
    if role == "text":
        return column.kind == "text"
    return role in ("label", "target") and normal_name(column.name) in _SURE_LABELS


def _by_content(role: str, task: TaskData, shape: Shape, columns: list[Column]) -> Column | None:
    """The longest text, the last column with few values, or the last one that can be predicted at all.

    What is called an id or counts the rows is predicted only where there is nothing else.
    """
    columns = [column for column in columns if not column.tells_rows_apart] or columns
    if role in ("messages", "tokens", "tags", "boxes"):
        return next((column for column in columns if column.holds in _HOLDS[role]), None)
    if role in _MEDIA_ROLES:
        return next((column for column in columns if column.media == _MEDIA_ROLES[role]), None)
    if role in ("text", "premise", "hypothesis"):
        texts = [column for column in columns if column.kind == "text"]
        return max(texts, key=lambda column: column.characters / max(1, column.present), default=None)
    if role == "transcript":
        texts = [column for column in columns if column.kind in TEXT_KINDS and column.media is None]
        return max(texts, key=lambda column: column.characters, default=None)
    if role == "target" and task.numeric_label:
        numbers = [column for column in columns if column.kind == "number"]
        return numbers[-1] if numbers else None
    if role not in ("target", "label") or shape.alias(role) not in ("target", "label"):
        return None
    classes = [column for column in columns if could_be_classes(column)]
    if classes:
        return classes[-1]
    plausible = [column for column in columns if column.kind in ("number", "category", "code")]
    return plausible[-1] if plausible and task.is_tabular else None


def could_be_classes(column: Column) -> bool:
    """Whether the values of a column could be the names or numbers of classes."""
    if column.kind in ("category", "code"):
        return column.distinct <= max(MOST_CLASS_IDS, column.present // 5)
    return is_class_ids(column)


def is_class_ids(column: Column) -> bool:
    """Whether numbers are few enough and whole, so that they may be the ids of classes."""
    whole = column.kind == "number" and column.integers == column.numbers
    return whole and column.distinct <= MOST_CLASS_IDS and column.distinct <= max(2, column.present // 10)
