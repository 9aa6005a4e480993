"""The HTTP service: authenticate the bytes, call one function, map its answer."""
