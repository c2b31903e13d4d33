"""The deployment: what is put together from the package, the chains and the tools."""
