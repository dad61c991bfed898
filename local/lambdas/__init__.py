"""Lambda on this machine: each function in processes of its own, under the Lambda runtime interface client.

    service       all functions, and the Invoke API that everything else calls them by
    pool          one function: its processes, and the invocations that wait for one
    process       one execution environment and its Runtime API
    launch        how a process is started: the runtime client, the environment
    invocations   one event on its way through a function, and how it ends

A process is what a Lambda execution environment is: `python -m awslambdaric handler.handler` in the function's code
folder, with the template's environment and Lambda's own variables, and on `sys.path` the standard library, the
function's folder, its layers and the client, nothing else. It asks its own Runtime API for one invocation at a time.
Processes start when they are needed and stay; one that runs out of time is killed, one that dies is replaced.

Differences from Lambda: functions share this machine's processors, so that there are at most `max_processes` of each
and further invocations wait in line; `/tmp` is shared; permissions and memory limits are not enforced; nothing is
invoked asynchronously.
"""
