"""The control API and the dashboard of a running sandbox."""
