"""The one definition of every data format: finds, reads, checks and profiles data without any ML library."""
