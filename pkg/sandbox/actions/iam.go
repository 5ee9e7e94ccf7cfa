package actions

import "strings"

// entity is what an operation of IAM is about: the parameter that names it, and
// what its ARN calls it.
type entity struct{ parameter, kind string }

var entities = []entity{
	{"RoleName", "role"}, {"UserName", "user"}, {"GroupName", "group"}, {"PolicyName", "policy"},
}

// iam asks for the entity that the operation's name ends in or contains, such as
// the role of PutRolePolicy. Membership of a group is the group's.
// https://docs.aws.amazon.com/service-authorization/latest/reference/list_awsidentityandaccessmanagementiam.html
func iam(c *call) ([]Permission, error) {
	named := c.params.text("PolicyArn")
	if named != "" && !strings.HasPrefix(c.operation, "Attach") && !strings.HasPrefix(c.operation, "Detach") {
		return []Permission{c.on(named)}, nil
	}
	of, ok := c.entity()
	if !ok {
		return []Permission{c.on("*")}, nil
	}
	arn, err := c.entityARN(of)
	if err != nil {
		return nil, err
	}
	return []Permission{c.on(arn).
		with("iam:PolicyARN", named).
		with("iam:PermissionsBoundary", c.params.text("PermissionsBoundary"))}, nil
}

func (c *call) entity() (entity, bool) {
	if c.is("AddUserToGroup", "RemoveUserFromGroup") {
		return entities[2], true
	}
	if strings.Contains(c.operation, "InstanceProfile") || strings.Contains(c.operation, "ServiceLinked") {
		return entity{}, false
	}
	for _, of := range entities {
		if c.params.text(of.parameter) != "" {
			return of, true
		}
	}
	return entity{}, false
}

// entityARN is that of the one that exists; of one that is to be made, the path is
// a parameter.
func (c *call) entityARN(of entity) (string, error) {
	name := c.params.text(of.parameter)
	if c.Entity != nil {
		arn, err := c.Entity(of.kind, name)
		if err != nil || arn != "" {
			return arn, err
		}
	}
	path := c.params.text("Path")
	if path == "" {
		path = "/"
	}
	return "arn:aws:iam::" + c.Account + ":" + of.kind + path + name, nil
}
