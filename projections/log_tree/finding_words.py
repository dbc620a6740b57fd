"""Findings of the log's verification, in words."""

from projections.log_tree.findings import Finding


def describe_finding(finding: Finding) -> str:
    """What was done, to which event, and where."""
    until = f" to {finding.until_position}" if finding.until_position else ""
    place = f"position {finding.position}{until}"
    if finding.post_id:
        place = f"event {finding.version} of post {finding.post_id} at {place}"
    verb = "is" if finding.what == "unproven" else "was"
    return f"{place} {verb} {finding.what}: {finding.detail}"
