"""The endings of pictures, recordings and videos, by which they are known without being opened."""

from __future__ import annotations

IMAGE_ENDINGS = (
    ".jpg", ".jpeg", ".jfif", ".png", ".gif", ".bmp", ".webp", ".tif", ".tiff",
    ".ppm", ".pgm", ".pbm", ".pnm", ".avif", ".jp2",
)  # fmt: skip
AUDIO_ENDINGS = (".wav", ".wave", ".flac", ".mp3", ".ogg", ".oga", ".opus", ".aif", ".aiff", ".aifc")
VIDEO_ENDINGS = (".mp4", ".m4v", ".mov", ".3gp", ".avi", ".mkv", ".webm")
MEDIA_ENDINGS = {"image": IMAGE_ENDINGS, "audio": AUDIO_ENDINGS, "video": VIDEO_ENDINGS}
