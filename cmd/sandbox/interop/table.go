package interop

import (
	"fmt"
	"strings"
)

// Row is what one client did.
type Row struct {
	// Packages are the names and versions of the client's packages, in pairs.
	Packages [][2]string
	// Did are sentences without a subject, in the past tense.
	Did []string
}

// Difference is an expectation of a suite that the stand-in does not meet, and why
// AWS does not meet it either.
type Difference struct{ Suite, Test, Reason string }

const heading = `# Clients that we did not write

` + "`make interop`" + ` runs each of these against a stand-in and writes this table. Versions are pinned in .ci/requirements.txt, .ci/requirements-agents.txt, .ci/requirements-mcp.txt and .ci/package.json. The AWS CLI, boto3 and the SDK for Go make every call of the control plane in ` + "`make test`" + `.

| Client | Version | What it did |
|---|---|---|
`

// Page is docs/interop.md.
func Page(rows []Row, differences []Difference) string {
	var page strings.Builder
	page.WriteString(heading)
	for _, row := range rows {
		names, versions := make([]string, len(row.Packages)), make([]string, len(row.Packages))
		for i, p := range row.Packages {
			names[i], versions[i] = p[0], p[1]
		}
		fmt.Fprintf(&page, "| %s | %s | %s |\n", strings.Join(names, "<br>"), strings.Join(versions, "<br>"), strings.Join(row.Did, "; "))
	}
	page.WriteString("\nWhat a suite expects and the stand-in does not do, because AWS does not do it either:\n\n| Suite | Test | Why |\n|---|---|---|\n")
	for _, d := range differences {
		fmt.Fprintf(&page, "| %s | %s | %s |\n", d.Suite, d.Test, d.Reason)
	}
	return page.String()
}
