"""The same training of taggers without Forge TUI: the Trainer with its defaults; prints the time after each step."""

import json
import sys
import time

from transformers import (
    AutoModelForTokenClassification,
    AutoTokenizer,
    DataCollatorForTokenClassification,
    Trainer,
    TrainerCallback,
    TrainingArguments,
)

rows_file, model_folder, output, batch, max_length, max_steps = sys.argv[1:]


class Clock(TrainerCallback):
    def on_step_end(self, args, state, control, **kwargs):  # type: ignore[no-untyped-def]
        print(f"step {time.time()}", flush=True)


with open(rows_file) as stream:
    rows = [json.loads(line) for line in stream]
tokenizer = AutoTokenizer.from_pretrained(model_folder)
model = AutoModelForTokenClassification.from_pretrained(model_folder)
codes = tokenizer(
    [row["tokens"] for row in rows], is_split_into_words=True, truncation=True, max_length=int(max_length)
)
examples = []
for index, row in enumerate(rows):
    words = codes.word_ids(index)
    labels = [
        -100 if word is None or word == before else model.config.label2id[row["tags"][word]]
        for before, word in zip([None, *words], words, strict=False)
    ]
    examples.append({**{name: codes[name][index] for name in codes}, "labels": labels})
collator = DataCollatorForTokenClassification(tokenizer)
arguments = TrainingArguments(output, per_device_train_batch_size=int(batch), max_steps=int(max_steps))
Trainer(model=model, args=arguments, train_dataset=examples, data_collator=collator, callbacks=[Clock()]).train()
