"""Problem answers: every error of the API has the same form."""

import httpx


def problem(answer: httpx.Response) -> tuple[int, str]:
    """Return the status and the type of a problem answer, and assert its form."""
    assert answer.headers["content-type"] == "application/problem+json", answer.text
    content = answer.json()
    assert content["status"] == answer.status_code
    assert content["title"]
    assert "Traceback" not in answer.text
    return answer.status_code, content["type"].removeprefix("/problems/")
