"""The same training on summaries without Forge TUI: Seq2SeqTrainer with its defaults; prints the time of each step."""

import json
import sys
import time

from transformers import (
    AutoModelForSeq2SeqLM,
    AutoTokenizer,
    DataCollatorForSeq2Seq,
    Seq2SeqTrainer,
    Seq2SeqTrainingArguments,
    TrainerCallback,
)

rows_file, model_folder, output, batch, max_length, max_steps = sys.argv[1:]


class Clock(TrainerCallback):
    def on_step_end(self, args, state, control, **kwargs):  # type: ignore[no-untyped-def]
        print(f"step {time.time()}", flush=True)


with open(rows_file) as stream:
    rows = [json.loads(line) for line in stream]
tokenizer = AutoTokenizer.from_pretrained(model_folder)
model = AutoModelForSeq2SeqLM.from_pretrained(model_folder)
sources, targets = [row["source"] for row in rows], [row["target"] for row in rows]
codes = tokenizer(sources, text_target=targets, truncation=True, max_length=int(max_length))
examples = [{name: codes[name][number] for name in codes} for number in range(len(rows))]
arguments = Seq2SeqTrainingArguments(output, per_device_train_batch_size=int(batch), max_steps=int(max_steps))
collator = DataCollatorForSeq2Seq(tokenizer, model=model)
Seq2SeqTrainer(
    model=model, args=arguments, train_dataset=examples, data_collator=collator, processing_class=tokenizer,
    callbacks=[Clock()],
).train()  # fmt: skip
