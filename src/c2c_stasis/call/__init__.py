"""The heart: the rules of a call as a pure function. No input or output, no clock, no asyncio."""
