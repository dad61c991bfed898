"""What is deployed: two stacks of CDK constructs, one file each."""
