"""A few rows exactly as a model will see them, with the parts marked that it learns to give."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from backends.formats.language import Example, chat_parts, read_example
from backends.formats.row_faults import answers_of, row_fault, source_text
from backends.formats.shapes import Shape
from backends.formats.tagged import bio_violation, repaired_tags, tag_list
from backends.formats.values import as_label, as_text
from backends.registry import TaskData

ROWS_SHOWN = 3
_LONGEST = 2_000

Parts = list[tuple[str, bool]]


def preview(
    task: TaskData,
    shape: Shape,
    roles: Mapping[str, str],
    rows: list[dict[str, Any]],
    places: list[str],
    decimal_comma: bool = False,
) -> list[dict[str, Any]]:
    """The first usable rows: where each is and its pieces, each with whether the model learns to give it."""
    shown: list[dict[str, Any]] = []
    for cells, where in zip(rows, places):
        values = {role: cells.get(column) for role, column in roles.items()}
        fault = row_fault(task, shape, values, decimal_comma)
        if fault is not None and fault.fatal:
            continue
        pieces = [{"text": text[:_LONGEST], "learned": learned} for text, learned in _parts(task, shape, values, cells)]
        shown.append({"where": where, "pieces": pieces})
        if len(shown) >= ROWS_SHOWN:
            break
    return shown


def _parts(task: TaskData, shape: Shape, values: Mapping[str, Any], cells: Mapping[str, Any]) -> Parts:
    if task.is_tabular:
        features = ", ".join(f"{name}={as_text(cells.get(name))[:30]}" for name in shape.optional)
        return [(f"{features}  ", False), (as_text(values.get("target")), True)]
    if task.id in ("text-generation", "reward-modeling") or shape.name == "visual-messages":
        found = read_example(shape, values)
        return _example_parts(found) if isinstance(found, Example) else []
    if task.id == "token-classification":
        return _tagged_parts(tag_list(values["tokens"]) or [], tag_list(values["tags"]) or [])
    if task.id == "extractive-question-answering":
        texts, _ = answers_of(values)
        asked = f"{as_text(values['question'])}\n{as_text(values['context'])}"
        return [(asked + "\n", False), (texts[0] if texts else "(no answer)", True)]
    if task.id == "object-detection":
        boxes = values.get("boxes")
        told = "; ".join(_box_text(box) for box in boxes[:6]) if isinstance(boxes, list) else as_text(boxes)[:200]
        return [(as_text(values["image"]) + "  ", False), (told or "background", True)]
    if "source" in task.roles:
        return [(f"{source_text(values)}  ", False), (as_text(values.get("target")), True)]
    learned = task.label_role or next(role for role in ("target", "answer", "transcript") if role in task.roles)
    inputs = [as_text(values.get(role)) for role in task.roles if role != learned]
    answer = as_label(values.get(learned)) if task.label_role else as_text(values.get(learned))
    return [("\n".join(inputs) + "  ", False), (answer, True)]


def _box_text(box: Any) -> str:
    """A box in a few words: its class and its four numbers, or whatever stands there instead."""
    corners = box.get("bbox") if isinstance(box, dict) else None
    if not isinstance(corners, list | tuple) or not all(isinstance(each, int | float) for each in corners):
        return as_text(box)[:60]
    return f"{as_text(box.get('category', '?'))} {[float(f'{each:.4g}') for each in corners]}"


def _example_parts(example: Example) -> Parts:
    parts = chat_parts(example)
    if example.rejected is not None:
        parts += [("rejected: ", False), (example.rejected, False)]
    if example.desirable is not None:
        parts.append((f"marked {'good' if example.desirable else 'bad'}", False))
    return parts


def _tagged_parts(words: list[str], tags: list[str]) -> Parts:
    """Words with their entities set apart: `Obama/person`."""
    parts: Parts = []
    fitting = repaired_tags(tags) if bio_violation(tags) else tags
    for word, tag in zip(words, fitting):
        inside = tag != "O"
        text = f"{word}/{tag.partition('-')[2] or tag}" if inside and not tag.startswith("I-") else word
        if parts and parts[-1][1] == inside and tag[:2] in ("I-", "O"):
            parts[-1] = (f"{parts[-1][0]} {text}", inside)
        else:
            parts += [(" ", False)] if parts else []
            parts.append((text, inside))
    return parts
