"""Dialogues: one LangGraph state machine per style, pure rules for bad turns and for stopping."""
