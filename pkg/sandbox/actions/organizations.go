package actions

import (
	"regexp"
	"strings"
)

// naming are the parameters that name accounts, OUs and roots.
var naming = []string{
	"AccountId", "OrganizationalUnitId", "ParentId", "ChildId", "ResourceId", "TargetId",
	"SourceParentId", "DestinationParentId",
}

var accountID = regexp.MustCompile(`^[0-9]{12}$`)

// organizations owes the call to the caller, whose own policies decide: whether it
// may act for the organization is another question.
// https://docs.aws.amazon.com/service-authorization/latest/reference/list_awsorganizations.html
func organizations(c *call) ([]Permission, error) {
	var organization Organization
	if c.Organization != nil {
		var err error
		if organization, err = c.Organization(); err != nil {
			return nil, err
		}
	}
	var asked []Permission
	for _, name := range naming {
		if id := c.params.text(name); id != "" {
			permission := c.on(organization.arn(id))
			permission.Account = c.Account
			asked = append(asked, permission)
		}
	}
	return asked, nil
}

func (o Organization) arn(id string) string {
	var kind string
	switch {
	case strings.HasPrefix(id, "ou-"):
		kind = "ou"
	case strings.HasPrefix(id, "r-"):
		kind = "root"
	case accountID.MatchString(id):
		kind = "account"
	default: // a policy, whose ARN has its type
		return "*"
	}
	return "arn:aws:organizations::" + o.Management + ":" + kind + "/" + o.ID + "/" + id
}
