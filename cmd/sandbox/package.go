package main

import (
	"archive/zip"
	"bytes"
	"errors"
	"fmt"
	"strings"
	"unicode"

	"go.yaml.in/yaml/v3"
)

// packageTemplate does what `sam package` does to a template: each function's code is
// where upload has put it. Nothing else of the template changes.
// https://docs.aws.amazon.com/serverless-application-model/latest/developerguide/sam-cli-command-reference-sam-package.html
func packageTemplate(template []byte, upload func(function string) (uri string, err error)) ([]byte, error) {
	var document yaml.Node
	if err := yaml.Unmarshal(template, &document); err != nil {
		return nil, fmt.Errorf("reading the template: %w", err)
	}
	if len(document.Content) == 0 {
		return nil, errors.New("reading the template: it is empty")
	}
	resources := field(document.Content[0], "Resources")
	for i := 0; resources != nil && i+1 < len(resources.Content); i += 2 {
		name, resource := resources.Content[i].Value, resources.Content[i+1]
		kind, properties := field(resource, "Type"), field(resource, "Properties")
		if kind == nil || kind.Value != "AWS::Serverless::Function" || properties == nil {
			continue
		}
		uri, err := upload(directoryOf(name))
		if err != nil {
			return nil, err
		}
		properties.Content = append(properties.Content, text("CodeUri"), text(uri))
	}
	packaged, err := yaml.Marshal(&document)
	if err != nil {
		return nil, fmt.Errorf("writing the template: %w", err)
	}
	return packaged, nil
}

func text(value string) *yaml.Node {
	return &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!str", Value: value}
}

// field is the value of a mapping; nil if it has none.
func field(mapping *yaml.Node, name string) *yaml.Node {
	for i := 0; i+1 < len(mapping.Content); i += 2 {
		if mapping.Content[i].Value == name {
			return mapping.Content[i+1]
		}
	}
	return nil
}

// directoryOf is where the function of a logical id is built: that of TableChangesFunction
// in table-changes, as the Makefile has it.
func directoryOf(function string) string {
	var name strings.Builder
	for i, letter := range strings.TrimSuffix(function, "Function") {
		if unicode.IsUpper(letter) && i > 0 {
			name.WriteByte('-')
		}
		name.WriteRune(unicode.ToLower(letter))
	}
	return name.String()
}

// zipped packs an executable without compressing it, which takes longer than all else.
func zipped(executable []byte) ([]byte, error) {
	var archive bytes.Buffer
	writer := zip.NewWriter(&archive)
	header := &zip.FileHeader{Name: "bootstrap", Method: zip.Store}
	header.SetMode(0o755)
	file, err := writer.CreateHeader(header)
	if err != nil {
		return nil, err //nolint:wrapcheck // the caller says what was packed
	}
	if _, err := file.Write(executable); err != nil {
		return nil, err //nolint:wrapcheck // as above
	}
	if err := writer.Close(); err != nil {
		return nil, err
	}
	return archive.Bytes(), nil
}
