"""What `plan` and `train` are asked in the same words, and the request that comes of it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from forge_tui.cli.data import MAP_HELP, PREPARE_HELP, parse_pairs

if TYPE_CHECKING:
    from forge_tui.planning import Request

Data = Annotated[str | None, typer.Option(help="The data: a file, a folder, a mix file or a hub id.")]
TaskName = Annotated[str | None, typer.Option(help="The task; otherwise the likeliest for the data.")]
EvalData = Annotated[str | None, typer.Option(help="Separate data to evaluate on.")]
Map = Annotated[list[str] | None, typer.Option("--map", help=MAP_HELP)]
Strategy = Annotated[
    str | None, typer.Option(help="For language models: pretrain, sft, dpo, orpo, kto, reward, ppo or grpo.")
]
ModelName = Annotated[
    str | None,
    typer.Option(help="preset:NAME, a model folder or a name of the catalog; otherwise one is recommended."),
]
Method = Annotated[str | None, typer.Option(help="How to train: full, lora, qlora, prompt-tuning or prefix-tuning.")]
Settings = Annotated[list[str] | None, typer.Option("--set", help="A setting as name=value; repeatable.")]
Prepare = Annotated[list[str] | None, typer.Option("--prepare", help=PREPARE_HELP)]
Download = Annotated[
    bool, typer.Option("--download", help="Fetch data of the hub that is not here yet, and ask it about such a model.")
]


def request_of(
    data: str,
    *,
    task: str | None,
    eval_data: str | None,
    map: list[str] | None,
    strategy: str | None,
    model: str | None,
    method: str | None,
    set: list[str] | None,
    prepare: list[str] | None,
    download: bool,
    name: str | None = None,
) -> Request:
    """The request of these options; data of the hub is looked for on this machine, or fetched where that was asked."""
    from forge_tui.hub_data import local_data
    from forge_tui.planning import Request

    return Request(
        data=str(local_data(data, download)),
        task=task,
        eval_data=str(local_data(eval_data, download)) if eval_data is not None else None,
        columns=parse_pairs(map, "--map"),
        model=model,
        method=method,
        settings=parse_pairs(set, "--set"),
        name=name,
        preparation=parse_pairs(prepare, "--prepare"),
        strategy=strategy,
        download=download,
    )
