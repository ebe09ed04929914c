from tests.fixtures.broker_control import BrokerControl

__all__ = ["BrokerControl"]
