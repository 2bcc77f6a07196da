"""The record of what arrived and what was carried out, and the report on it."""
