from tests.fixtures.proxy import Proxy

__all__ = ["Proxy"]
