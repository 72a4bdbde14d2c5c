"""From runs to tables and plots."""
