"""Facts and arithmetic: what to recommend for data and hardware, each with its reason."""
