"""What people see of a study: the terminal, the report page, the dashboard."""
