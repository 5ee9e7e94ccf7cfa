#!/usr/bin/env bash
# Plays the story of `make demo` against a running stand-in, with the AWS CLI alone: what
# admins, owners and the organization do is nothing but commands that work on AWS, too.
#
#   make sandbox &                               # and wait for its line
#   AWS_CONFIG_FILE=.sandbox/aws-config cmd/sandbox/story/story.sh
#
# STACK names the deployed stack (gateway-grants); where there is none, the deployment is
# the one that is built into `sandbox up`. The first thing that ends wrong ends the story,
# with one line and exit code 1.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
repository=$(cd "$here/../../.." && pwd)

# The AWS CLI and Python are those of the tests, unless others are named.
aws_cli=${AWS_CLI:-$repository/.venv/bin/aws}
python=${PYTHON:-$repository/.venv/bin/python}
patience=${PATIENCE:-60} # seconds that anything may take
export AWS_DEFAULT_OUTPUT=text AWS_PAGER='' AWS_EC2_METADATA_DISABLED=true AWS_SHARED_CREDENTIALS_FILE=/dev/null
unset AWS_PROFILE AWS_ACCESS_KEY_ID AWS_SECRET_ACCESS_KEY AWS_SESSION_TOKEN
. "$here/telling.sh"

# The story makes accounts and roles, which AWS does not forget at the end of the day.
region=$(look configure get region --profile account-a) || true
endpoint=$(look configure get endpoint_url --profile account-a) ||
	wrong "no stand-in: start one with \`make sandbox\`, and export AWS_CONFIG_FILE=.sandbox/aws-config"

# Roles are used through profiles of their own, in a copy of the configuration: the AWS CLI
# and boto3 assume the role by themselves. The name keeps this run's sessions, which the AWS
# CLI caches, from those of other runs.
cp "$AWS_CONFIG_FILE" "$scratch/aws-config"
export AWS_CONFIG_FILE=$scratch/aws-config
as() { # PROFILE ROLE_ARN SOURCE_PROFILE
	printf '\n[profile %s]\nregion = %s\nendpoint_url = %s\nrole_arn = %s\nsource_profile = %s\nrole_session_name = story-%s\n' \
		"$1" "$region" "$endpoint" "$2" "$3" "$name" >>"$AWS_CONFIG_FILE"
}

name=$(date +%s)
account_a=$(look sts get-caller-identity --profile account-a --query Account) || wrong "no server answers at $endpoint"
account_b=$(look sts get-caller-identity --profile account-b --query Account)

# output is an output of the stack.
stack=${STACK:-gateway-grants}
output() {
	look cloudformation describe-stacks --profile account-a --stack-name "$stack" \
		--query "Stacks[0].Outputs[?OutputKey=='$1'].OutputValue | [0]" || wrong "no stack $stack"
}
grants=$(output GrantsTableName)
echo_function=$(output EchoFunctionArn)
bus=$(output EventBusArn)
service_role=$(output GatewayServiceRoleArn)

# call has a profile list the gateway's tools and call the first. There is no command of the
# AWS CLI for that: `aws bedrock-agentcore` has operations for runtimes, memories and
# browsers, none for gateways, which speak MCP. So the caller is a client in Python.
call() {
	if said=$("$python" "$here/invoke_gateway.py" "$1" --url "$url" --region "$region" --message "hello across accounts" 2>&1); then
		return 0
	fi
	return 1
}
is_in() { call "$1" && [[ $said == *"SUCCESS!"*"echo-tools___echo_message"*"hello across accounts"* ]]; }
is_refused() { ! call "$1" && [[ $said == *"403 Forbidden"* ]]; }

policy() { # the gateway's; nothing if it has none
	look bedrock-agentcore-control get-resource-policy --profile account-a --resource-arn "$arn" --query policy | grep -v '^None$'
}
policy_names() { policy | grep -qF "$1"; }
policy_lacks() { ! policy_names "$1"; }

grant() { # ID PRINCIPAL [ATTRIBUTE VALUE]
	local item="{\"gateway\":{\"S\":\"$arn\"},\"grant\":{\"S\":\"$1\"},\"principal\":{\"S\":\"$2\"}"
	[ $# -lt 4 ] || item="$item,\"$3\":{\"S\":\"$4\"}"
	run dynamodb put-item --profile admin --table-name "$grants" --item "$item}"
}
revoke() { # ID
	run dynamodb delete-item --profile admin --table-name "$grants" --key "{\"gateway\":{\"S\":\"$arn\"},\"grant\":{\"S\":\"$1\"}}"
}

# caller_role makes a role that may call gateways, as far as its own side goes.
caller_role() { # PROFILE ACCOUNT ROLE
	look iam get-role --profile "$1" --role-name "$3" >/dev/null && return
	run iam create-role --profile "$1" --role-name "$3" --query Role.Arn --assume-role-policy-document \
		"{\"Version\":\"2012-10-17\",\"Statement\":[{\"Effect\":\"Allow\",\"Principal\":{\"AWS\":\"arn:aws:iam::$2:root\"},\"Action\":\"sts:AssumeRole\"}]}"
	run iam put-role-policy --profile "$1" --role-name "$3" --policy-name calls --policy-document \
		'{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"bedrock-agentcore:InvokeGateway","Resource":"*"}]}'
}

printf '%sGateway Grants: a row in the grants table opens a gateway to another account%s\n' "$bold" "$plain"

step "Account A ($account_a) creates a gateway with IAM authentication and an echo tool"
# The tag is what makes the gateway one of those that grants are kept for.
id=$(ask bedrock-agentcore-control create-gateway --profile account-a --name "story-$name" --role-arn "$service_role" \
	--authorizer-type AWS_IAM --protocol-type MCP --tags '{"gateway-grants:managed":"true"}' --query gatewayId)
described() { look bedrock-agentcore-control get-gateway --profile account-a --gateway-identifier "$id" --query "$1"; }
gateway_ready() { [ "$(described status)" = READY ]; }
soon "the gateway is READY" gateway_ready
arn=$(described gatewayArn) url=$(described gatewayUrl)
GATEWAY=$arn GATEWAY_ID=$id shortened='GATEWAY GATEWAY_ID'
tool='{"name":"echo_message","description":"Echo back a message for testing","inputSchema":{"type":"object","properties":{"message":{"type":"string","description":"The message to echo"}},"required":["message"]}}'
target=$(ask bedrock-agentcore-control create-gateway-target --profile account-a --gateway-identifier "$id" --name echo-tools \
	--target-configuration "{\"mcp\":{\"lambda\":{\"lambdaArn\":\"$echo_function\",\"toolSchema\":{\"inlinePayload\":[$tool]}}}}" \
	--credential-provider-configurations credentialProviderType=GATEWAY_IAM_ROLE --query targetId)
target_ready() { [ "$(look bedrock-agentcore-control get-gateway-target --profile account-a --gateway-identifier "$id" --target-id "$target" --query status)" = READY ]; }
soon "its target is READY" target_ready
say "GATEWAY:    $arn"
say "GATEWAY_ID: $id"
say "URL:        $url"

step "Account A calls its own gateway"
check "the owner is let in by its own side alone" is_in account-a

step "Account B ($account_b) calls it"
check "another account is refused, whatever its own side allows" is_refused account-b

step "An admin writes one row: account B may call the gateway"
grant account-b "$account_b"
soon "account B lists the tool and calls it" is_in account-b
say "$(short "$(policy)")"

step "An operator deletes the gateway's policy by hand"
run bedrock-agentcore-control delete-resource-policy --profile account-a --resource-arn "$arn"
soon "CloudTrail recorded it, and the policy was put back" policy_names "$account_b"
check "account B is still let in" is_in account-b

step "Another team adds a statement of its own to the same policy"
theirs='{"Sid":"PartnersOwnBusiness","Effect":"Deny","Principal":"*","Action":["bedrock-agentcore:InvokeGateway"],"Resource":"'$arn'","Condition":{"IpAddress":{"aws:SourceIp":["203.0.113.0/24"]}}}'
document=$(ask bedrock-agentcore-control get-resource-policy --profile account-a --resource-arn "$arn" --query policy)
ask bedrock-agentcore-control put-resource-policy --profile account-a --resource-arn "$arn" \
	--policy "${document/'"Statement":['/"\"Statement\":[$theirs,"}" >/dev/null
check "it stands beside ours" policy_names "$theirs"
check "account B is still let in" is_in account-b

step "The admin deletes the row"
revoke account-b
soon "account B is refused again" is_refused account-b
check "the statement of the other team is still there" policy_names "$theirs"

step "A grant narrowed to one role"
for role in AgentRole ReportRole; do
	caller_role account-b "$account_b" "$role"
	as "$role" "arn:aws:iam::$account_b:role/$role" account-b
done
grant agents "$account_b" role AgentRole
soon "AgentRole is let in" is_in AgentRole
check "ReportRole of the same account is kept out" is_refused ReportRole
revoke agents
soon "AgentRole is refused again" is_refused AgentRole

step "A standing grant for an organizational unit, and then a new account"
# AWS sends the organization's events to the management account only: this stack forwards
# them to the product's bus. `make standin` has deployed it already.
run cloudformation deploy --profile management --stack-name gateway-grants-organization-events \
	--template-file "$repository/infra/organization-events.yaml" --capabilities CAPABILITY_NAMED_IAM --no-fail-on-empty-changeset \
	--parameter-overrides HubBusArn="$bus" HubAccountId="$account_a"
root=$(ask organizations list-roots --profile management --query 'Roots[0].Id')
unit=$(ask organizations create-organizational-unit --profile management --parent-id "$root" --name "agents-$name" --query OrganizationalUnit.Id)
grant agents-unit "$unit" role AgentRole
request=$(ask organizations create-account --profile management --account-name account-c --email "account-c-$name@example.com" --query CreateAccountStatus.Id)
made() {
	account_c=$(look organizations describe-create-account-status --profile management --create-account-request-id "$request" \
		--query "CreateAccountStatus.[State,AccountId] | [?@] | join(' ', @)") && [[ $account_c == SUCCEEDED* ]]
}
soon "the account is made" made
account_c=${account_c#SUCCEEDED }
run organizations move-account --profile management --account-id "$account_c" --source-parent-id "$root" --destination-parent-id "$unit"
as account-c "arn:aws:iam::$account_c:role/OrganizationAccountAccessRole" management
caller_role account-c "$account_c" AgentRole
as agent-of-c "arn:aws:iam::$account_c:role/AgentRole" account-c
soon "the new account is let in by itself: the table was not touched" is_in agent-of-c
revoke agents-unit
soon "the end of the grant is the end of it" is_refused agent-of-c

step "A grant that expires"
moment=30 # seconds: enough for it to take effect on a slow machine
expires=$("$python" -c "import datetime as d; print((d.datetime.now(d.timezone.utc) + d.timedelta(seconds=$moment)).strftime('%Y-%m-%dT%H:%M:%SZ'))")
grant for-a-moment "$account_b" expires "$expires"
soon "until then, account B is let in" is_in account-b
soon "at that moment the policy itself refuses" is_refused account-b
# What is due is looked for every minute.
patience=$((patience + 90)) soon "and the next sweep takes the principal out" policy_lacks "$account_b"

step "What is left in the policy"
say "$(short "$(policy)")"
only_theirs() { [ "$(policy)" = "{\"Version\":\"2012-10-17\",\"Statement\":[$theirs]}" ]; }
check "the statement of others survived it all, byte for byte, and nothing else did" only_theirs

step "Account A deletes the gateway"
run bedrock-agentcore-control delete-gateway-target --profile account-a --gateway-identifier "$id" --target-id "$target" --query status
no_targets() { [ -z "$(look bedrock-agentcore-control list-gateway-targets --profile account-a --gateway-identifier "$id" --query 'items[].targetId')" ]; }
soon "its target is gone" no_targets
run bedrock-agentcore-control delete-gateway --profile account-a --gateway-identifier "$id" --query status
gateway_gone() { ! described status >/dev/null; }
soon "the gateway is gone" gateway_gone

printf '\n%sAll %d checks of %d steps ended as they should, in %d s.%s\n' "$green" "$checks" "$steps" "$SECONDS" "$plain"
