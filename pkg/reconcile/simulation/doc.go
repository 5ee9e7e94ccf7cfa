// Package simulation runs the reconcile loop against every actor that can interfere:
// other reconcilers, admins, an organization, IAM, a foreign writer and a faulty AWS.
// All of it is in tests; there is nothing to import.
//
// Each actor is a coroutine that yields before and after the effect of each call. A
// chooser decides which actor goes on, what fails and what time it is, so that a
// number, the seed, stands for a whole schedule and replays it:
//
//	SIMULATION_SEED=4711 go test -v -run TestSeededSchedules ./pkg/reconcile/simulation
//
// SIMULATION_PARTITION is the AWS partition that the world lies in, aws if empty.
// SIMULATIONS is how many seeds are played, and SIMULATION_FROM the first of them.
package simulation
