"""API Gateway on this machine: the REST APIs of the templates, each on a port of its own.

    serving      the APIs, listening
    rest_api     one API: from a request to a response
    routes       which method a request is for
    authorizer   the Lambda that says who may call, whose answer is a policy: policies
    throttle     the stage's rate and burst
    proxy        Lambda proxy integrations: the event, and the answer as a response
    mocks        integrations that answer by themselves
    responses    the gateway's own answers
    parameters   templates and header mappings, as far as they are made of text and `$context` values
    calls        one request on its way through all of these

Exactly this is served:
- resources with literal, `{parameter}` and `{greedy+}` parts; methods of one verb or ANY;
- AWS_PROXY integrations with a Lambda function, with their timeout;
- MOCK integrations with one answer, such as a CORS preflight's;
- REQUEST authorizers whose identity sources are headers, with their cache; so API keys are checked;
- gateway responses; binary media types;
- one stage, which is not part of the path, as under a custom domain: its access log, and one rate and burst for all.

An API that asks for anything else is refused at its start by `DeploymentError`: usage plans and their keys, request
validation, TOKEN, Cognito and IAM authorization, request parameter mappings, stage variables, other integrations, other
mapping templates, throttles of single methods, resource policies, caching, domain names.
"""
