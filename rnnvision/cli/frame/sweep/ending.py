"""The end of a sweep: its table, and what to type next."""

from rnnvision.cli.frame.sweep.plan import Plan


def print_end(plan: Plan) -> int:
    """Print the table and the next command; returns how many jobs are completed."""
    completed = [job for job in plan.jobs if job.status == "completed"]
    return len(completed)
