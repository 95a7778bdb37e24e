"""The Experiments dock: many trainings from one plan, followed and looked at."""
