"""Policies that decide when to poll: pure, with the clock injected."""

from __future__ import annotations

from batch_converter.polling.base import Answer, FixedInterval, PollPolicy
from batch_converter.polling.predictive import Predictive
from batch_converter.polling.service_time import Observation

__all__ = ["Answer", "FixedInterval", "Observation", "PollPolicy", "Predictive"]
