"""The same training without Forge TUI: Transformers' Trainer with its defaults; prints the time after each step."""

import json
import sys
import time

from transformers import AutoModelForSequenceClassification, AutoTokenizer, Trainer, TrainerCallback, TrainingArguments

rows_file, model_folder, output, batch, max_length, max_steps = sys.argv[1:]


class Clock(TrainerCallback):
    def on_step_end(self, args, state, control, **kwargs):  # type: ignore[no-untyped-def]
        print(f"step {time.time()}", flush=True)


with open(rows_file) as stream:
    rows = [json.loads(line) for line in stream]
tokenizer = AutoTokenizer.from_pretrained(model_folder)
model = AutoModelForSequenceClassification.from_pretrained(model_folder)
codes = tokenizer([row["text"] for row in rows], truncation=True, max_length=int(max_length))
numbers = [model.config.label2id[row["label"]] for row in rows]
examples = [{**{name: codes[name][index] for name in codes}, "labels": number} for index, number in enumerate(numbers)]
arguments = TrainingArguments(output, per_device_train_batch_size=int(batch), max_steps=int(max_steps))
Trainer(model=model, args=arguments, train_dataset=examples, processing_class=tokenizer, callbacks=[Clock()]).train()
