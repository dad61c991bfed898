"""The local stack: the synthesized CloudFormation templates, run on this machine."""
