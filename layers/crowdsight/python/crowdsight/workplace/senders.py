"""How a notification leaves: by Amazon SQS or SNS."""

from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from crowdsight.workplace.events import Delivery, DeliveryFailed, SendEvent


def aws_sender(sqs: Any, sns: Any) -> SendEvent:
    """Sends by the given boto3 clients, which should give up within seconds: a Worker is waiting."""

    def send(delivery: Delivery) -> None:
        try:
            if delivery.transport == "SNS":
                sns.publish(TopicArn=delivery.destination, Message=delivery.document)
            else:
                sqs.send_message(QueueUrl=delivery.destination, MessageBody=delivery.document)
        except (BotoCoreError, ClientError) as error:
            raise DeliveryFailed(str(error)) from error

    return send
