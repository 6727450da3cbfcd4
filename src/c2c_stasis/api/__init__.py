"""aiohttp handlers: they translate and do nothing else."""
