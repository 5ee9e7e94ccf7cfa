package plan

// draft is what a plan was compiled from, so that parts of it can be compiled.
type draft struct {
	world    World
	problem  problem
	admitted map[access]bool
	claims   []claim
	verdict  verdict
	said     reading // what our statements say now
}
