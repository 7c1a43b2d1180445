"""The same training on questions without Forge TUI: the Trainer with its defaults; prints the time after each step."""

import json
import sys
import time

from transformers import AutoModelForQuestionAnswering, AutoTokenizer, Trainer, TrainerCallback, TrainingArguments

rows_file, model_folder, output, batch, max_length, max_steps = sys.argv[1:]


class Clock(TrainerCallback):
    def on_step_end(self, args, state, control, **kwargs):  # type: ignore[no-untyped-def]
        print(f"step {time.time()}", flush=True)


with open(rows_file) as stream:
    rows = [json.loads(line) for line in stream]
tokenizer = AutoTokenizer.from_pretrained(model_folder)
model = AutoModelForQuestionAnswering.from_pretrained(model_folder)
codes = tokenizer(
    [row["question"] for row in rows], [row["context"] for row in rows], truncation="only_second",
    max_length=int(max_length), stride=128, return_overflowing_tokens=True, return_offsets_mapping=True,
)  # fmt: skip
offsets, origins = codes.pop("offset_mapping"), codes.pop("overflow_to_sample_mapping")
examples = []
for index, origin in enumerate(origins):
    start = rows[origin]["answer_start"][0]
    end = start + len(rows[origin]["answers"][0])
    inside = [side == 1 for side in codes.sequence_ids(index)]
    context = [place for place, within in enumerate(inside) if within]
    places = [place for place in context if offsets[index][place][1] > start and offsets[index][place][0] < end]
    if not places or offsets[index][context[0]][0] > start or offsets[index][context[-1]][1] < end:
        places = [0]
    positions = {"start_positions": places[0], "end_positions": places[-1]}
    examples.append({**{name: codes[name][index] for name in codes}, **positions})
arguments = TrainingArguments(output, per_device_train_batch_size=int(batch), max_steps=int(max_steps))
Trainer(model=model, args=arguments, train_dataset=examples, processing_class=tokenizer, callbacks=[Clock()]).train()
