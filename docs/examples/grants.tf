# A grant as an item of the grants table. Terraform writes the whole item, and puts it
# back when the row is edited.
resource "aws_dynamodb_table_item" "agents_of_b" {
  table_name = "gateway-grants"
  hash_key   = "gateway"
  range_key  = "grant"

  item = <<ITEM
{
  "gateway":    {"S": "arn:aws:bedrock-agentcore:us-east-1:111122223333:gateway/tools-abcdefghij"},
  "grant":      {"S": "agents-of-b"},
  "principal":  {"S": "444455556666"},
  "role":       {"S": "AgentRole"},
  "expires":    {"S": "2027-01-31"},
  "conditions": {"M": {"sourceIp": {"L": [{"S": "203.0.113.0/24"}]}}},
  "reason":     {"S": "pilot of team B"},
  "source":     {"S": "terraform/platform"}
}
ITEM
}
