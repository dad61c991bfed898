"""The adjudication workflow, as far as our Lambdas speak with it: Step Functions."""

import json
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from crowdsight.task_store import Generation


class WorkflowUnavailable(Exception):
    """Step Functions did not take the request; it may be made again."""


class Workflow:
    """`client`: a boto3 client for `stepfunctions`; `arn`: the state machine's, needed only to start executions."""

    def __init__(self, client: Any, arn: str) -> None:
        self._client = client
        self._arn = arn

    def start(self, generation: Generation) -> None:
        """Start the generation's one execution, which is named after it; again: changes nothing.

        Raises WorkflowUnavailable.
        """
        try:
            self._client.start_execution(
                stateMachineArn=self._arn,
                name=generation.id,
                input=json.dumps({"generation": generation.id}),
            )
        except self._client.exceptions.ExecutionAlreadyExists:
            pass  # started by an earlier run
        except (ClientError, BotoCoreError) as error:
            raise WorkflowUnavailable(str(error)) from error

    def wake(self, token: str) -> None:
        """Let the execution that waits behind this task token go on; a token that is used up changes nothing.

        Raises WorkflowUnavailable.
        """
        exceptions = self._client.exceptions
        try:
            self._client.send_task_success(taskToken=token, output="{}")
        except (exceptions.TaskTimedOut, exceptions.TaskDoesNotExist, exceptions.InvalidToken):
            pass  # it went on already
        except (ClientError, BotoCoreError) as error:
            raise WorkflowUnavailable(str(error)) from error
