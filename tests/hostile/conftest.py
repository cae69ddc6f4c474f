"""The fixtures of the sandbox's tests."""

from tests.sandbox import attack, busybox, cases, load_image, make_job, sandbox_engine

__all__ = ["attack", "busybox", "cases", "load_image", "make_job", "sandbox_engine"]
