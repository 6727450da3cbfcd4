"""May this call be placed: numbers, regions, prices and limits, as pure rules; `engine.py` asks them all."""
