"""The way from login to a started run: the questions, step by step, without a screen."""
