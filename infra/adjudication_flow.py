"""The workflow that adjudicates one crowd task, from publishing its HIT to its result or its named problem.

                 CreateHit, AskMachine
                          │
        ┌──────────> AwaitAnswer ──(time is up)──> CollectLateAnswers
        │                 │                                │
        │             Adjudicate <─────────────────────────┘
        │                 │
        ├── ExtendHit <───┼──> CloseTask        after an error: FailAfterError
        └─────────────────┴──> FailTask

An execution is named after its task's generation and given only that, {"generation"}. Every step may run twice.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any

from aws_cdk import Acknowledgment, Aws, RemovalPolicy, Validations
from aws_cdk import aws_iam as iam
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_logs as logs
from aws_cdk import aws_stepfunctions as stepfunctions
from constructs import Construct

from infra.settings import Settings

DAY_S = 86_400
ASK_TIMEOUT_S = 40

NEVER_RETRIED = ["InsufficientFunds"]
"""Refusals that do not pass by themselves, by the names of the Lambdas' exceptions."""

REFUSED = ["AccountSetup"]
"""While a key is being rotated, both sides may go on with the old one for a minute each."""

PASSING = ["WorkplaceUnavailable", "Lambda.TooManyRequestsException"]
"""What passes by itself, and must not end a task whose answers are partly paid already."""

RETRY = [
    {"ErrorEquals": NEVER_RETRIED, "MaxAttempts": 0},
    {"ErrorEquals": REFUSED, "IntervalSeconds": 25, "BackoffRate": 1, "MaxAttempts": 6},
    {
        "ErrorEquals": PASSING,
        "IntervalSeconds": 1,
        "BackoffRate": 2,
        "MaxDelaySeconds": 60,
        "JitterStrategy": "FULL",
        "MaxAttempts": 60,
    },
    {
        "ErrorEquals": ["States.TaskFailed"],  # whatever else a Lambda raises, and Lambda's own errors
        "IntervalSeconds": 1,
        "BackoffRate": 2,
        "MaxDelaySeconds": 30,
        "JitterStrategy": "FULL",
        "MaxAttempts": 8,
    },
]
"""The last rule pauses for at most 1, 2, 4, 8, 16, 30, 30 and 30 seconds: 2 minutes in all, 1 on average."""

LOG_DELIVERY = [
    "logs:CreateLogDelivery",
    "logs:GetLogDelivery",
    "logs:UpdateLogDelivery",
    "logs:DeleteLogDelivery",
    "logs:ListLogDeliveries",
    "logs:PutResourcePolicy",
    "logs:DescribeResourcePolicies",
    "logs:DescribeLogGroups",
]


@dataclass(frozen=True)
class Steps:
    """The Lambdas behind the workflow's states."""

    create_hit: lambda_.IFunction
    ask_machine: lambda_.IFunction
    await_answer: lambda_.IFunction
    collect_late_answers: lambda_.IFunction
    adjudicate: lambda_.IFunction
    extend_hit: lambda_.IFunction
    close_task: lambda_.IFunction
    fail_task: lambda_.IFunction


def definition(steps: Steps, hit_lifetime_s: int) -> dict[str, Any]:
    """The workflow in the Amazon States Language.

    `$.next` is what to do next, as the last step that decided has it: CreateHit gives {"await_timeout_s"}, and
    Adjudicate {"action": "complete" | "fail" | "extend" | "wait", "await_timeout_s", "result", "problem",
    "assignments", "grounds"}.
    """
    generation = {"generation.$": "$.generation"}
    return {
        "Comment": "One crowd task, from publishing its HIT to its result or its named problem",
        "TimeoutSeconds": hit_lifetime_s + DAY_S,
        "StartAt": "CreateHit",
        "States": {
            "CreateHit": _task(steps.create_hit, generation, result="$.next", next="AskMachine"),
            "AskMachine": _ask(steps.ask_machine, generation, next="AwaitAnswer"),
            "AwaitAnswer": _wait_for_token(
                steps.await_answer,
                {**generation, "token.$": "$$.Task.Token"},
                timeout="$.next.await_timeout_s",
                on_timeout="CollectLateAnswers",
                next="Adjudicate",
            ),
            "CollectLateAnswers": _task(steps.collect_late_answers, generation, next="Adjudicate"),
            "Adjudicate": _task(steps.adjudicate, generation, result="$.next", next="WhatNext"),
            "WhatNext": {
                "Type": "Choice",
                "Choices": [
                    {"Variable": "$.next.action", "StringEquals": "complete", "Next": "CloseTask"},
                    {"Variable": "$.next.action", "StringEquals": "fail", "Next": "FailTask"},
                    {"Variable": "$.next.action", "StringEquals": "extend", "Next": "ExtendHit"},
                    {"Variable": "$.next.action", "StringEquals": "wait", "Next": "AwaitAnswer"},
                ],
            },
            "ExtendHit": _task(
                steps.extend_hit, {**generation, "assignments.$": "$.next.assignments"}, next="AwaitAnswer"
            ),
            "CloseTask": _task(
                steps.close_task, {**generation, "result.$": "$.next.result", "grounds.$": "$.next.grounds"}
            ),
            "FailTask": _task(
                steps.fail_task, {**generation, "problem.$": "$.next.problem", "grounds.$": "$.next.grounds"}
            ),
            "FailAfterError": _task(steps.fail_task, {**generation, "error.$": "$.error"}, catch=False),
        },
    }


def _task(
    function: lambda_.IFunction,
    payload: Mapping[str, Any],
    *,
    result: str | None = None,
    next: str | None = None,
    catch: bool = True,
) -> dict[str, Any]:
    """A state that invokes a Lambda. `result`: where its answer goes, None for nowhere. `next`: None ends."""
    return {
        "Type": "Task",
        "Resource": function.function_arn,
        "Parameters": payload,
        "ResultPath": result,
        "Retry": RETRY,
        **({"Catch": [FAIL_AFTER_ERROR]} if catch else {}),
        **({"Next": next} if next else {"End": True}),
    }


def _ask(function: lambda_.IFunction, payload: Mapping[str, Any], *, next: str) -> dict[str, Any]:
    """A state that invokes a Lambda once, for what the task can do without."""
    return {
        "Type": "Task",
        "Resource": function.function_arn,
        "Parameters": payload,
        "TimeoutSeconds": ASK_TIMEOUT_S,
        "ResultPath": None,
        "Catch": [{"ErrorEquals": ["States.ALL"], "ResultPath": None, "Next": next}],
        "Next": next,
    }


def _wait_for_token(
    function: lambda_.IFunction, payload: Mapping[str, Any], *, timeout: str, on_timeout: str, next: str
) -> dict[str, Any]:
    """A state that gives a Lambda a task token and waits until somebody sends success with it, `timeout` at most."""
    return {
        "Type": "Task",
        "Resource": f"arn:{Aws.PARTITION}:states:::lambda:invoke.waitForTaskToken",
        "Parameters": {"FunctionName": function.function_arn, "Payload": payload},
        "TimeoutSecondsPath": timeout,
        "ResultPath": None,
        "Retry": RETRY,
        "Catch": [{"ErrorEquals": ["States.Timeout"], "ResultPath": None, "Next": on_timeout}, FAIL_AFTER_ERROR],
        "Next": next,
    }


FAIL_AFTER_ERROR = {"ErrorEquals": ["States.ALL"], "ResultPath": "$.error", "Next": "FailAfterError"}


class AdjudicationFlow(stepfunctions.StateMachine):
    """The state machine. It may invoke its steps' Lambdas and write its log, and nothing else."""

    def __init__(self, scope: Construct, id: str, *, name: str, steps: Steps, settings: Settings) -> None:
        log_group = logs.LogGroup(
            scope, f"{id}Log", retention=logs.RetentionDays.ONE_MONTH, removal_policy=RemovalPolicy.DESTROY
        )
        role = _role(scope, f"{id}Role", steps)
        super().__init__(
            scope,
            id,
            state_machine_name=name,
            state_machine_type=stepfunctions.StateMachineType.STANDARD,
            definition_body=stepfunctions.DefinitionBody.from_string(
                json.dumps(definition(steps, settings.hit_lifetime_s))  # CDK's own writer would drop the nulls
            ),
            role=role.without_policy_updates(),
            logs=stepfunctions.LogOptions(
                destination=log_group, level=stepfunctions.LogLevel.ALL, include_execution_data=True
            ),
            removal_policy=RemovalPolicy.DESTROY,
        )
        Validations.of(self).acknowledge(
            Acknowledgment(
                id="AwsSolutions-SF2",
                reason="The log has every state's input, output and times; X-Ray would add only a permission on *.",
            )
        )


def _role(scope: Construct, id: str, steps: Steps) -> iam.Role:
    """Written out, because what CDK would grant covers every version of each Lambda."""
    arns = [getattr(steps, field.name).function_arn for field in fields(steps)]
    role = iam.Role(
        scope,
        id,
        assumed_by=iam.ServicePrincipal("states.amazonaws.com"),
        inline_policies={
            "InvokeSteps": iam.PolicyDocument(
                statements=[iam.PolicyStatement(actions=["lambda:InvokeFunction"], resources=arns)]
            ),
            "DeliverLog": iam.PolicyDocument(statements=[iam.PolicyStatement(actions=LOG_DELIVERY, resources=["*"])]),
        },
    )
    Validations.of(role).acknowledge(
        Acknowledgment(
            id="AwsSolutions-IAM5[Resource::*]",
            reason="CloudWatch's log deliveries have no resources to name: AWS documents these actions on *.",
        )
    )
    return role
