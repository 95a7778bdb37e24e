"""A model made fast, and volumes predicted with it."""
