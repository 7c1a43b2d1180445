"""The detectors of the catalog with random weights, from the sizes that their makers give: no network is needed.

Sizes as in the papers (Peng et al. 2024, D-FINE; Lv et al. 2024, RT-DETRv2; Carion et al. 2020, DETR; Fang et al. 2021,
YOLOS), written in the words of Transformers' configurations.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import torch
import transformers

SIDE = 640  # pixels of a picture's side, as detectors are trained
_BOXES = 8  # in each picture; hardly anything depends on how many there are

# Of HGNetV2: channels of the stem, entering, inside and leaving each stage, blocks a stage, layers a block.
_HGNET: Mapping[str, tuple[list[int], list[int], list[int], list[int], list[int], int]] = {
    "B0": ([3, 16, 16], [16, 64, 256, 512], [16, 32, 64, 128], [64, 256, 512, 1024], [1, 1, 2, 1], 3),
    "B2": ([3, 24, 32], [32, 96, 384, 768], [32, 64, 128, 256], [96, 384, 768, 1536], [1, 1, 3, 1], 4),
    "B4": ([3, 32, 48], [48, 128, 512, 1024], [48, 96, 192, 384], [128, 512, 1024, 2048], [1, 1, 3, 1], 6),
    "B5": ([3, 32, 64], [64, 128, 512, 1024], [64, 128, 256, 512], [128, 512, 1024, 2048], [1, 2, 5, 2], 6),
}
_NANO: dict[str, Any] = {
    "num_feature_levels": 2,
    "encoder_ffn_dim": 512,
    "encode_proj_layers": [1],
    "d_model": 128,
    "encoder_hidden_dim": 128,
    "decoder_ffn_dim": 512,
    "encoder_in_channels": [512, 1024],
    "decoder_n_points": [6, 6],
    "decoder_in_channels": [128, 128],
    "feat_strides": [16, 32],
    "depth_mult": 0.5,
    "decoder_layers": 3,
    "hidden_expansion": 0.34,
}
_POINTS: dict[str, Any] = {"decoder_n_points": [3, 6, 3]}
_DFINE: Mapping[str, tuple[str, dict[str, Any]]] = {
    "nano": ("B0", _NANO),
    "small": (
        "B0",
        {
            **_POINTS,
            "encoder_in_channels": [256, 512, 1024],
            "depth_mult": 0.34,
            "decoder_layers": 3,
            "hidden_expansion": 0.5,
        },
    ),
    "medium": (
        "B2",
        {**_POINTS, "encoder_in_channels": [384, 768, 1536], "depth_mult": 0.67, "decoder_layers": 4},
    ),
    "large": ("B4", {**_POINTS, "encoder_in_channels": [512, 1024, 2048], "encoder_ffn_dim": 1024}),
    "xlarge": (
        "B5",
        {
            **_POINTS,
            "encoder_in_channels": [512, 1024, 2048],
            "encoder_hidden_dim": 384,
            "encoder_ffn_dim": 2048,
            "decoder_in_channels": [384, 384, 384],
        },
    ),
}


def _dfine(size: str) -> Any:
    backbone, values = _DFINE[size]
    stem, entering, inside, leaving, blocks, layers = _HGNET[backbone]
    stages = ["stage2", "stage3", "stage4"] if size != "nano" else ["stage3", "stage4"]
    hgnet = transformers.HGNetV2Config(
        stem_channels=stem,
        stage_in_channels=entering,
        stage_mid_channels=inside,
        stage_out_channels=leaving,
        hidden_sizes=leaving,
        depths=blocks,
        stage_num_blocks=blocks,
        stage_downsample=[False, True, True, True],
        stage_light_block=[False, False, True, True],
        stage_kernel_size=[3, 3, 5, 5],
        stage_numb_of_layers=[layers] * 4,
        use_learnable_affine_block=backbone in ("B0", "B2"),
        out_features=stages,
    )
    config = transformers.DFineConfig(backbone_config=hgnet, **{"hidden_expansion": 1.0, **values})
    return transformers.DFineForObjectDetection(config)


def _rtdetr(small: bool) -> Any:
    if not small:
        return transformers.RTDetrV2ForObjectDetection(transformers.RTDetrV2Config())
    resnet = transformers.RTDetrResNetConfig(
        hidden_sizes=[64, 128, 256, 512],
        depths=[2, 2, 2, 2],
        layer_type="basic",
        out_features=["stage2", "stage3", "stage4"],
    )
    config = transformers.RTDetrV2Config(
        backbone_config=resnet, encoder_in_channels=[128, 256, 512], hidden_expansion=0.5, decoder_layers=3
    )
    return transformers.RTDetrV2ForObjectDetection(config)


def _detr() -> Any:
    resnet = transformers.ResNetConfig(out_features=["stage4"])
    config = transformers.DetrConfig(backbone_config=resnet, use_timm_backbone=False)
    model = transformers.DetrForObjectDetection(config)
    return model


def _yolos(width: int, heads: int, mid: bool) -> Any:
    config = transformers.YolosConfig(
        hidden_size=width,
        intermediate_size=4 * width,
        num_attention_heads=heads,
        image_size=[SIDE, SIDE],
        use_mid_position_embeddings=mid,
    )
    return transformers.YolosForObjectDetection(config)


MAKERS: Mapping[str, Callable[[], Any]] = {
    **{f"ustc-community/dfine-{size}-coco": (lambda size=size: _dfine(size)) for size in _DFINE},  # type: ignore[misc]
    "PekingU/rtdetr_v2_r18vd": lambda: _rtdetr(small=True),
    "PekingU/rtdetr_v2_r50vd": lambda: _rtdetr(small=False),
    "facebook/detr-resnet-50": _detr,
    "hustvl/yolos-tiny": lambda: _yolos(192, 3, mid=False),
    "hustvl/yolos-base": lambda: _yolos(768, 12, mid=True),
}


def batch_of(rows: int) -> dict[str, Any]:
    """Pictures with boxes, as a detector of Transformers is trained on them."""
    centre = torch.linspace(0.2, 0.8, _BOXES)
    boxes = torch.stack([centre, centre, torch.full_like(centre, 0.1), torch.full_like(centre, 0.1)], dim=1)
    label = {"class_labels": torch.arange(_BOXES) % 2, "boxes": boxes}
    return {"pixel_values": torch.rand(rows, 3, SIDE, SIDE), "labels": [label] * rows}
