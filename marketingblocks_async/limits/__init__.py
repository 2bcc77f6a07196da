"""The rate limit of one token; ``limiter.py`` has the theory and the proof."""
