"""Runs agents: turns, runs and their event log, sessions. Serves lf.a2a.v1 and hector.agent.v1."""

from .build import build
from .config import AgentConfig, AgentSection

__all__ = ["AgentConfig", "AgentSection", "build"]
