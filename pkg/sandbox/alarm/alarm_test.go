package alarm_test

import (
	"testing"
	"time"

	"github.com/gateway-grants/gateway-grants/pkg/sandbox/alarm"
)

var begun = time.Date(2026, 11, 20, 9, 0, 0, 0, time.UTC)

func TestAnAlarmIsEvaluatedAsCloudWatchDoes(t *testing.T) {
	const none = -1
	gauge := alarm.Definition{Metric: alarm.Metric{Namespace: "N", Name: "M", Dimension: "F"}, Statistic: "Maximum", Operator: "GreaterThanThreshold", Period: 5 * time.Minute, Evaluations: 1, Missing: "ignore"}
	with := func(change func(*alarm.Definition)) alarm.Definition {
		d := gauge
		change(&d)
		return d
	}
	heartbeat := with(func(d *alarm.Definition) {
		d.Operator, d.Threshold, d.Evaluations, d.Missing = "LessThanThreshold", 1, 2, "breaching"
	})
	for name, c := range map[string]struct {
		reason  string
		alarm   alarm.Definition
		periods []float64 // the value of each five minutes
		want    alarm.State
	}{
		"nothing yet":            {"no data is no state", gauge, []float64{none}, alarm.InsufficientData},
		"at rest":                {"0 does not breach", gauge, []float64{0}, alarm.OK},
		"a fault":                {"one period is enough", gauge, []float64{0, 1}, alarm.Alarm},
		"a fault that is mended": {"the gauge says so", gauge, []float64{1, 0}, alarm.OK},
		"a fault, then nothing":  {"missing data is ignored", gauge, []float64{1, none, none}, alarm.Alarm},
		"rest, then nothing":     {"missing data is ignored", gauge, []float64{0, none, none}, alarm.OK},
		"not for long enough":    {"two of three periods", with(func(d *alarm.Definition) { d.Evaluations = 3 }), []float64{0, 1, 1}, alarm.OK},
		"for long enough":        {"three of three", with(func(d *alarm.Definition) { d.Evaluations = 3 }), []float64{0, 1, 1, 1}, alarm.Alarm},
		"a sum":                  {"of all points of a period", with(func(d *alarm.Definition) { d.Statistic, d.Threshold = "Sum", 1.5 }), []float64{1}, alarm.Alarm},
		"a heart that beats":     {"each minute", heartbeat, []float64{1, 1}, alarm.OK},
		"one beat missing":       {"not for two periods", heartbeat, []float64{1, 1, none}, alarm.OK},
		"no beats":               {"missing data breaches", heartbeat, []float64{1, 1, none, none}, alarm.Alarm},
		"errors that ended":      {"missing data does not breach", with(func(d *alarm.Definition) { d.Missing = "notBreaching" }), []float64{1, none}, alarm.OK},
	} {
		t.Run(name, func(t *testing.T) {
			w, err := alarm.NewWatch(map[string]alarm.Definition{"a": c.alarm}, begun)
			if err != nil {
				t.Fatal(err)
			}
			now := begun
			for _, value := range c.periods {
				for range 5 {
					if value != none {
						w.Put(c.alarm.Metric, now, value)
					}
					now = now.Add(time.Minute)
					w.Evaluate(now)
				}
			}
			if got := w.State("a"); got != c.want {
				t.Errorf("%s: %s, want %s", c.reason, got, c.want)
			}
		})
	}
	if _, err := alarm.NewWatch(map[string]alarm.Definition{"a": with(func(d *alarm.Definition) { d.Statistic = "p99" })}, begun); err == nil {
		t.Error("a statistic that is not evaluated here is taken")
	}
}
