package actions

import (
	"net/url"
	"strings"
)

// single are the actions of operations on several messages.
var single = map[string]string{
	"SendMessageBatch":             "SendMessage",
	"DeleteMessageBatch":           "DeleteMessage",
	"ChangeMessageVisibilityBatch": "ChangeMessageVisibility",
}

// https://docs.aws.amazon.com/service-authorization/latest/reference/list_amazonsqs.html
func sqs(c *call) ([]Permission, error) {
	action := c.operation
	if one, ok := single[action]; ok {
		action = one
	}
	switch {
	case c.is("ListQueues"):
		return []Permission{c.on("*")}, nil
	case c.is("CreateQueue"):
		return []Permission{c.on(c.arn(c.params.text("QueueName"), ""))}, nil
	case c.is("GetQueueUrl"):
		owner := c.params.text("QueueOwnerAWSAccountId")
		if owner == "" {
			owner = c.Account
		}
		return []Permission{c.on(c.queue(owner, c.params.text("QueueName")))}, nil
	case c.is("StartMessageMoveTask", "ListMessageMoveTasks"):
		return []Permission{c.on(c.params.text("SourceArn"))}, nil
	}
	owner, name, err := c.queueOfURL()
	if err != nil {
		return nil, err
	}
	return []Permission{c.ask(action, c.queue(owner, name))}, nil
}

func (c *call) queue(owner, name string) string {
	return "arn:aws:sqs:" + c.Region + ":" + owner + ":" + name
}

// queueOfURL reads a queue's URL, https://host/account/name. Requests in the query
// protocol may be sent to it instead.
// https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-queue-message-identifiers.html
func (c *call) queueOfURL() (owner, name string, err error) {
	path := c.HTTP.URL.Path
	if given := c.params.text("QueueUrl"); given != "" {
		at, err := url.Parse(given)
		if err != nil {
			return "", "", &UnreadableError{"The QueueUrl is malformed: " + err.Error()}
		}
		path = at.Path
	}
	owner, name, ok := strings.Cut(strings.TrimPrefix(path, "/"), "/")
	if !ok || strings.Contains(name, "/") {
		return "", "", &UnreadableError{"The QueueUrl names no account and queue: " + path}
	}
	return owner, name, nil
}
