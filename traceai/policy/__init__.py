"""Say what must hold: policies, prompts, and who may be called."""

from traceai.policy.approval import Approval
from traceai.policy.inventory import Inventory, Ruling, Status
from traceai.policy.model import Policy, Prompt

__all__ = ("Approval", "Inventory", "Policy", "Prompt", "Ruling", "Status")
