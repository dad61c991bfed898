"""A Python client for callers of crowd tasks, and a command line for callers and operators: `python -m client`.

from client import TaskClient

tasks = TaskClient("https://….execute-api.us-east-1.amazonaws.com/prod", api_key)
tasks.put_task("image-contains", "butterbean", {"image": {"url": url}, "target": {"label": "dog"}})
print(tasks.wait("image-contains", "butterbean").result)
"""

from client.tasks import ApiError, ApiUnreachable, Problem, StillWaiting, Task, TaskClient, TaskError

__all__ = ["ApiError", "ApiUnreachable", "Problem", "StillWaiting", "Task", "TaskClient", "TaskError"]
