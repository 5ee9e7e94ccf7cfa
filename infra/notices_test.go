package infra

import (
	"encoding/json"
	"fmt"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// Each notice that needs attention reaches the address of AlarmEmail, and says there what
// it is about.
func TestPeopleAreSentWhatNeedsAttentionInWords(t *testing.T) {
	rule := read(t, "../template.yaml").Resources["WhenNoticedForPeople"].Properties
	documented, err := os.ReadFile("../docs/notices/README.md")
	if err != nil {
		t.Fatal(err)
	}
	var advised struct {
		Types []string `json:"detail-type"`
	}
	_, block, _ := strings.Cut(string(documented), "```json\n")
	block, _, _ = strings.Cut(block, "```")
	if err := json.Unmarshal([]byte(block), &advised); err != nil {
		t.Fatal(err)
	}
	sent := texts(at(rule["EventPattern"], "detail-type"))
	if !slices.Equal(sent, advised.Types) || len(sent) == 0 {
		t.Errorf("people are sent %v, and docs/notices advises %v", sent, advised.Types)
	}

	target := rule["Targets"].([]any)[0]
	paths, _ := at(target, "InputTransformer", "InputPathsMap").(map[string]any)
	template, _ := at(target, "InputTransformer", "InputTemplate").(string)
	shown := map[string]bool{}
	for _, name := range regexp.MustCompile(`<(\w+)>`).FindAllStringSubmatch(template, -1) {
		if paths[name[1]] == nil {
			t.Errorf("the template has <%s>, which is nowhere in the event", name[1])
		}
		shown[strings.TrimPrefix(fmt.Sprint(paths[name[1]]), "$.detail.")] = true
	}
	for _, kind := range sent {
		schema, err := os.ReadFile("../docs/notices/" + strings.ToLower(strings.ReplaceAll(kind, " ", "-")) + ".schema.json")
		if err != nil {
			t.Fatal(err)
		}
		var event struct {
			Properties struct {
				Detail struct {
					Required []string `json:"required"`
				} `json:"detail"`
			} `json:"properties"`
		}
		if err := json.Unmarshal(schema, &event); err != nil {
			t.Fatal(err)
		}
		says := slices.DeleteFunc(event.Properties.Detail.Required, func(member string) bool { return member == "gateway" || !shown[member] })
		if len(says) == 0 {
			t.Errorf("a mail about %s says no more than its gateway", kind)
		}
		if slices.Contains(event.Properties.Detail.Required, "grant") && !shown["grant"] {
			t.Errorf("a mail about %s does not say which grant", kind)
		}
	}
}

func TestEveryNoticeThatCannotBeDeliveredIsKept(t *testing.T) {
	s := read(t, "../template.yaml")
	queue, _ := at(s.Resources["LostNoticesPolicy"].Properties["PolicyDocument"], "Statement").([]any)
	may := texts(at(queue[0], "Condition", "ArnEquals", "aws:SourceArn"))
	for id, r := range s.of("AWS::Events::Rule") {
		if at(r.Properties["Targets"].([]any)[0], "DeadLetterConfig", "Arn") == "${LostNotices.Arn}" && !slices.Contains(may, "${"+id+".Arn}") {
			t.Errorf("%s may not put into its queue what it cannot deliver", id)
		}
	}
}
