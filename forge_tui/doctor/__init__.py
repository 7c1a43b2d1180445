"""Examines what training needs: libraries, GPUs and their driver, the session, the terminal, the disk."""
