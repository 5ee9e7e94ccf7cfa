// A grant as an item of the grants table. CloudFormation has no resource for an item, so
// that a custom resource puts it, and deletes it with the stack.
import { Stack, StackProps } from "aws-cdk-lib";
import { AwsCustomResource, AwsCustomResourcePolicy, PhysicalResourceId } from "aws-cdk-lib/custom-resources";
import { Table } from "aws-cdk-lib/aws-dynamodb";
import { Construct } from "constructs";

const item = {
  "gateway":   {"S": "arn:aws:bedrock-agentcore:us-east-1:111122223333:gateway/tools-abcdefghij"},
  "grant":     {"S": "agents-of-b"},
  "principal": {"S": "444455556666"},
  "role":      {"S": "AgentRole"},
  "expires":   {"S": "2027-01-31"},
  "reason":    {"S": "pilot of team B"},
  "source":    {"S": "cdk/platform"}
};

export class GrantsStack extends Stack {
  constructor(scope: Construct, id: string, props?: StackProps) {
    super(scope, id, props);
    const table = Table.fromTableName(this, "Grants", "gateway-grants");
    const put = {
      service: "DynamoDB",
      action: "putItem",
      parameters: { TableName: table.tableName, Item: item },
      // The key is the identity: another key is another row, and the old one is deleted.
      physicalResourceId: PhysicalResourceId.of(`${item.gateway.S}#${item.grant.S}`),
    };
    new AwsCustomResource(this, "AgentsOfB", {
      onUpdate: put, // on creation, too
      onDelete: {
        service: "DynamoDB",
        action: "deleteItem",
        parameters: { TableName: table.tableName, Key: { gateway: item.gateway, grant: item.grant } },
      },
      policy: AwsCustomResourcePolicy.fromSdkCalls({ resources: [table.tableArn] }),
    });
  }
}
