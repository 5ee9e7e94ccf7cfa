// Package alarm evaluates CloudWatch alarms on single metrics, minute by minute, on a
// clock that its user moves.
// https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/alarm-evaluation.html
// https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/alarms-and-missing-data.html
package alarm

import (
	"fmt"
	"time"
)

// State is the state of an alarm, in CloudWatch's words.
type State string

// The states of an alarm. One begins without data.
const (
	InsufficientData State = "INSUFFICIENT_DATA"
	OK               State = "OK"
	Alarm            State = "ALARM"
)

// Metric is a metric with one dimension.
type Metric struct{ Namespace, Name, Dimension string }

// Definition is an alarm as CloudFormation's properties have it.
type Definition struct {
	Metric
	Statistic   string // Maximum or Sum
	Operator    string // GreaterThanThreshold or LessThanThreshold
	Threshold   float64
	Period      time.Duration
	Evaluations int
	Missing     string // ignore, breaching or notBreaching
}

// Change is an alarm that went from one state to another.
type Change struct {
	Alarm    string
	At       time.Time
	From, To State
}

func (c Change) String() string {
	return fmt.Sprintf("%s %s: %s to %s", c.At.UTC().Format("02 15:04"), c.Alarm, c.From, c.To)
}

// Watch keeps data points and the states of alarms. It is not safe for concurrent use.
type Watch struct {
	alarms map[string]Definition
	states map[string]State
	points map[Metric][]point
	begun  time.Time
}

type point struct {
	at    time.Time
	value float64
}

// NewWatch has alarms by name begin at a time.
func NewWatch(alarms map[string]Definition, begun time.Time) (*Watch, error) {
	w := &Watch{alarms: alarms, states: map[string]State{}, points: map[Metric][]point{}, begun: begun}
	for name, a := range alarms {
		if a.Statistic != "Maximum" && a.Statistic != "Sum" || a.Operator != "GreaterThanThreshold" && a.Operator != "LessThanThreshold" ||
			a.Missing != "ignore" && a.Missing != "breaching" && a.Missing != "notBreaching" || a.Period < time.Minute || a.Evaluations < 1 {
			return nil, fmt.Errorf("alarm %s has properties that are not evaluated here: %+v", name, a)
		}
		w.states[name] = InsufficientData
	}
	return w, nil
}

// Put adds a data point.
func (w *Watch) Put(metric Metric, at time.Time, value float64) {
	w.points[metric] = append(w.points[metric], point{at, value})
}

// State is an alarm's present one.
func (w *Watch) State(name string) State { return w.states[name] }

// Evaluate moves every alarm to the state that it has at the time, and returns what
// changed. It is to be called each minute.
func (w *Watch) Evaluate(now time.Time) []Change {
	var changes []Change
	for name, a := range w.alarms {
		was := w.states[name]
		if is := w.evaluate(a, was, now); is != was {
			w.states[name] = is
			changes = append(changes, Change{Alarm: name, At: now, From: was, To: is})
		}
	}
	return changes
}

// evaluate looks at the last whole periods. A period that began before the alarm did
// counts for nothing.
func (w *Watch) evaluate(a Definition, was State, now time.Time) State {
	end := now.Truncate(a.Period)
	if end.Add(-time.Duration(a.Evaluations) * a.Period).Before(w.begun) {
		return was
	}
	breaching, found := 0, 0
	for i := range a.Evaluations {
		from := end.Add(-time.Duration(i+1) * a.Period)
		value, has := w.statistic(a, from, from.Add(a.Period))
		switch {
		case has && a.breaches(value), !has && a.Missing == "breaching":
			breaching, found = breaching+1, found+1
		case has, a.Missing == "notBreaching":
			found++
		}
	}
	switch {
	case found == a.Evaluations && breaching == a.Evaluations:
		return Alarm
	case found > breaching:
		return OK
	default:
		return was // missing data is ignored
	}
}

func (a Definition) breaches(value float64) bool {
	if a.Operator == "LessThanThreshold" {
		return value < a.Threshold
	}
	return value > a.Threshold
}

func (w *Watch) statistic(a Definition, from, to time.Time) (value float64, has bool) {
	for _, p := range w.points[a.Metric] {
		if p.at.Before(from) || !p.at.Before(to) {
			continue
		}
		switch {
		case a.Statistic == "Sum":
			value += p.value
		case !has || p.value > value:
			value = p.value
		}
		has = true
	}
	return value, has
}

// Forget drops data points from before a time, which no alarm looks at any more.
func (w *Watch) Forget(before time.Time) {
	for metric, points := range w.points {
		for len(points) > 0 && points[0].at.Before(before) {
			points = points[1:]
		}
		w.points[metric] = points
	}
}
