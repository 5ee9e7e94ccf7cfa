package main

import (
	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/bedrockagentcorecontrol/types"

	"github.com/gateway-grants/gateway-grants/pkg/handler"
)

// toolDefinition declares a tool of ours to AgentCore.
func toolDefinition(tool handler.Tool) types.ToolDefinition {
	schema := schemaDefinition(tool.InputSchema)
	return types.ToolDefinition{
		Name:        aws.String(tool.Name),
		Description: aws.String(tool.Description),
		InputSchema: &schema,
	}
}

func schemaDefinition(schema handler.Schema) types.SchemaDefinition {
	definition := types.SchemaDefinition{Type: types.SchemaType(schema.Type), Required: schema.Required}
	if schema.Description != "" {
		definition.Description = aws.String(schema.Description)
	}
	if len(schema.Properties) > 0 {
		definition.Properties = make(map[string]types.SchemaDefinition, len(schema.Properties))
		for name, property := range schema.Properties {
			definition.Properties[name] = schemaDefinition(property)
		}
	}
	return definition
}
