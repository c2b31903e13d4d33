"""A very small chat model in this process, so that Gatehouse runs without an account."""
