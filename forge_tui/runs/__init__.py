"""Runs on disk: created, started in a detached process, watched, stopped, resumed; no daemon, no database."""
